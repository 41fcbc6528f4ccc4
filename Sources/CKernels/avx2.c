// The kernels for AVX2 with FMA: a vector is two registers, and 12 of the 16 registers accumulate.
#if defined(__x86_64__)
#include <immintrin.h>

#include "ckernels.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define TILE_ROWS 6
#define TILE_VECTORS 6
#define VALUE_QUERIES 1
#define VALUE_VECTORS 1
#define TABLE forageKernelsAVX2
#define TABLE_NAME "avx2"

typedef struct {
  __m256 low, high;
} V;

// Eight ones and eight zeros: a window into it masks the first n lanes.
static const int32_t laneWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

static inline __m256i firstLanes(long n) {
  long kept = n < 0 ? 0 : (n > 8 ? 8 : n);
  return _mm256_loadu_si256((const __m256i *)(laneWindow + 8 - kept));
}

#define EACH(expressionLow, expressionHigh) \
  V result = {(expressionLow), (expressionHigh)}; \
  return result

static inline V vLoad(const float *p) { EACH(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
static inline V vLoadFirst(const float *p, long n) {
  EACH(_mm256_maskload_ps(p, firstLanes(n)), _mm256_maskload_ps(p + 8, firstLanes(n - 8)));
}
static inline void vStore(float *p, V x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}
static inline void vStoreFirst(float *p, V x, long n) {
  _mm256_maskstore_ps(p, firstLanes(n), x.low);
  _mm256_maskstore_ps(p + 8, firstLanes(n - 8), x.high);
}
static inline V vSet(float x) { EACH(_mm256_set1_ps(x), _mm256_set1_ps(x)); }
static inline V vAdd(V a, V b) {
  EACH(_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high));
}
static inline V vSub(V a, V b) {
  EACH(_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high));
}
static inline V vMul(V a, V b) {
  EACH(_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high));
}
static inline V vDiv(V a, V b) {
  EACH(_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high));
}
static inline V vSqrt(V a) { EACH(_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)); }
static inline V vMax(V a, V b) {
  EACH(_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high));
}
static inline V vMin(V a, V b) {
  EACH(_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high));
}
static inline V vFma(V a, V b, V c) {
  EACH(_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high));
}
static inline V vFnma(V a, V b, V c) {
  EACH(_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high));
}
static inline V vKeepFirst(V x, V rest, long n) {
  EACH(_mm256_blendv_ps(rest.low, x.low, _mm256_castsi256_ps(firstLanes(n))),
       _mm256_blendv_ps(rest.high, x.high, _mm256_castsi256_ps(firstLanes(n - 8))));
}
static inline V vIfBelow(V x, V limit, V then, V otherwise) {
  EACH(_mm256_blendv_ps(otherwise.low, then.low, _mm256_cmp_ps(x.low, limit.low, _CMP_LT_OQ)),
       _mm256_blendv_ps(otherwise.high, then.high,
                        _mm256_cmp_ps(x.high, limit.high, _CMP_LT_OQ)));
}
// x 2^power in two exact factors, since 2^128 alone is no float.
static inline __m256 scaleHalf(__m256 x, __m256 power) {
  __m256i n = _mm256_cvtps_epi32(power);
  __m256i first = _mm256_srai_epi32(n, 1);
  __m256i second = _mm256_sub_epi32(n, first);
  __m256i one = _mm256_set1_epi32(127);
  __m256 a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(first, one), 23));
  __m256 b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(second, one), 23));
  return _mm256_mul_ps(_mm256_mul_ps(x, a), b);
}
static inline V vScale(V x, V power) {
  EACH(scaleHalf(x.low, power.low), scaleHalf(x.high, power.high));
}
static inline float vSum(V x) {
  __m256 a = _mm256_add_ps(x.low, x.high);
  __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
static inline float vPeak(V x) {
  __m256 a = _mm256_max_ps(x.low, x.high);
  __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

#include "templates/all.h"

#pragma clang attribute pop
#endif
