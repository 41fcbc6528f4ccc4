#include "csystem.h"
int forage_csystem_version(void) { return 1; }
