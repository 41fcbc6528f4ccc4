#include "ckernels.h"
int forage_ckernels_version(void) { return 1; }
