#ifndef FORAGE_CSYSTEM_H
#define FORAGE_CSYSTEM_H
int forage_csystem_version(void);
#endif
