// The kernels for any machine: a vector is 16 floats in memory. fmaf is one rounding everywhere,
// in software where the processor has none, so the bits are those of the fast tables.
#include <math.h>

#include "ckernels.h"

#define TILE_ROWS 2
#define TILE_VECTORS 2
#define VALUE_QUERIES 1
#define VALUE_VECTORS 1
#define TABLE forageKernelsPortable
#define TABLE_NAME "portable"

typedef struct {
  float lane[16];
} V;

#define EACH(expression)                                   \
  V result;                                                \
  for (int i = 0; i < 16; i++) result.lane[i] = expression; \
  return result

static inline V vLoad(const float *p) { EACH(p[i]); }
static inline V vLoadFirst(const float *p, long n) { EACH(i < n ? p[i] : 0); }
static inline void vStore(float *p, V x) {
  for (int i = 0; i < 16; i++) p[i] = x.lane[i];
}
static inline void vStoreFirst(float *p, V x, long n) {
  for (int i = 0; i < n; i++) p[i] = x.lane[i];
}
static inline V vSet(float x) { EACH(x); }
static inline V vAdd(V a, V b) { EACH(a.lane[i] + b.lane[i]); }
static inline V vSub(V a, V b) { EACH(a.lane[i] - b.lane[i]); }
static inline V vMul(V a, V b) { EACH(a.lane[i] * b.lane[i]); }
static inline V vDiv(V a, V b) { EACH(a.lane[i] / b.lane[i]); }
static inline V vSqrt(V a) { EACH(sqrtf(a.lane[i])); }
// The second operand wins a tie and a NaN, as x86 has it.
static inline V vMax(V a, V b) { EACH(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]); }
static inline V vMin(V a, V b) { EACH(a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]); }
static inline V vFma(V a, V b, V c) { EACH(fmaf(a.lane[i], b.lane[i], c.lane[i])); }
static inline V vFnma(V a, V b, V c) { EACH(fmaf(-a.lane[i], b.lane[i], c.lane[i])); }
static inline V vKeepFirst(V x, V rest, long n) { EACH(i < n ? x.lane[i] : rest.lane[i]); }
static inline V vIfBelow(V x, V limit, V then, V otherwise) {
  EACH(x.lane[i] < limit.lane[i] ? then.lane[i] : otherwise.lane[i]);
}
static inline float powerOfTwo(int n) {
  union {
    int32_t bits;
    float value;
  } u = {(n + 127) << 23};
  return u.value;
}
static inline float scaleOne(float x, float power) {
  // A NaN power has no integer; its x is NaN too, and any factor keeps it.
  int n = power == power ? (int)power : 0;
  int first = n >> 1;
  return x * powerOfTwo(first) * powerOfTwo(n - first);
}
static inline V vScale(V x, V power) { EACH(scaleOne(x.lane[i], power.lane[i])); }
static inline float vSum(V x) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) x.lane[i] = x.lane[i] + x.lane[i + half];
  }
  return x.lane[0];
}
static inline float vPeak(V x) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) {
      x.lane[i] = x.lane[i] > x.lane[i + half] ? x.lane[i] : x.lane[i + half];
    }
  }
  return x.lane[0];
}

#include "templates/all.h"
