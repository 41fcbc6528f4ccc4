// The kernels for AVX-512: a vector is one register, and 24 of the 32 registers accumulate.
#if defined(__x86_64__)
#include <immintrin.h>

#include "ckernels.h"

#pragma clang attribute push(                                                              \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)

#define TILE_ROWS 12
#define TILE_VECTORS 24
#define VALUE_QUERIES 2
#define VALUE_VECTORS 2
#define TABLE forageKernelsAVX512
#define TABLE_NAME "avx512"

typedef __m512 V;

static inline __mmask16 firstLanes(long n) { return (__mmask16)((1u << n) - 1); }
static inline V vLoad(const float *p) { return _mm512_loadu_ps(p); }
static inline V vLoadFirst(const float *p, long n) {
  return _mm512_maskz_loadu_ps(firstLanes(n), p);
}
static inline void vStore(float *p, V x) { _mm512_storeu_ps(p, x); }
static inline void vStoreFirst(float *p, V x, long n) {
  _mm512_mask_storeu_ps(p, firstLanes(n), x);
}
static inline V vSet(float x) { return _mm512_set1_ps(x); }
static inline V vAdd(V a, V b) { return _mm512_add_ps(a, b); }
static inline V vSub(V a, V b) { return _mm512_sub_ps(a, b); }
static inline V vMul(V a, V b) { return _mm512_mul_ps(a, b); }
static inline V vDiv(V a, V b) { return _mm512_div_ps(a, b); }
static inline V vSqrt(V a) { return _mm512_sqrt_ps(a); }
static inline V vMax(V a, V b) { return _mm512_max_ps(a, b); }
static inline V vMin(V a, V b) { return _mm512_min_ps(a, b); }
static inline V vFma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
static inline V vFnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
static inline V vKeepFirst(V x, V rest, long n) {
  return _mm512_mask_blend_ps(firstLanes(n), rest, x);
}
static inline V vIfBelow(V x, V limit, V then, V otherwise) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, limit, _CMP_LT_OQ), otherwise, then);
}
static inline V vScale(V x, V power) { return _mm512_scalef_ps(x, power); }
static inline float vSum(V x) {
  __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
static inline float vPeak(V x) {
  __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

#include "templates/all.h"

#pragma clang attribute pop
#endif
