#ifndef FORAGE_CKERNELS_H
#define FORAGE_CKERNELS_H
int forage_ckernels_version(void);
#endif
