// Which tables this machine can run.
#include "ckernels.h"

extern const ForageKernels forageKernelsPortable;
#if defined(__x86_64__)
extern const ForageKernels forageKernelsAVX2;
extern const ForageKernels forageKernelsAVX512;
#endif

const ForageKernels *forageKernels(int instructionSet) {
  if (instructionSet == FORAGE_PORTABLE) return &forageKernelsPortable;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (instructionSet == FORAGE_AVX2 && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return &forageKernelsAVX2;
  }
  if (instructionSet == FORAGE_AVX512 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
    return &forageKernelsAVX512;
  }
#endif
  return 0;
}
