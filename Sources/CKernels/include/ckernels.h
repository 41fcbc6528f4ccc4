// The hot loops, once for each instruction set, behind one table of functions.
//
// Every function is written once (templates/) over a vector of 16 floats and compiled three times:
// for AVX-512, for AVX2 with FMA, and for any machine. The three give the same bits: each output of
// a product is one chain of fused multiply-adds, each reduction is 16 lanes and one fixed tree,
// fusing happens only where it is written (-ffp-contract=off), and tails run the same vector code
// with their missing lanes masked.
//
// Nothing here allocates, starts threads or checks its arguments: Tensors does.
#ifndef FORAGE_CKERNELS_H
#define FORAGE_CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// Outputs a panel of a packed weight holds: panel[k][32], the tail padded with zeros.
enum { FORAGE_PANEL = 32 };

typedef struct {
  const char *name;

  // Products. out[m, n] = chain over ascending k of x[m, k] w[n, k], then + bias[n].
  // Rows and panels are ranges, so that any split of the work gives the same bits.
  void (*linear)(float *out, const float *x, const float *packed, const float *_Nullable bias,
                 long rowBegin, long rowEnd, long panelBegin, long panelEnd, long outputs,
                 long inputs);
  // Lays out panels [panelBegin, panelEnd) of w `[outputs, inputs]` with rows `stride` apart.
  void (*pack)(float *packed, const float *w, long stride, long panelBegin, long panelEnd,
               long outputs, long inputs);
  // The same layout of `count` rows found through pointers, and their copy in order. Lanes of the
  // last 16 that no row fills are zero; beyond them nothing is written.
  void (*layPanels)(float *panels, float *_Nonnull const *_Nonnull rows, long count, long depth);
  void (*layRows)(float *out, float *_Nonnull const *_Nonnull rows, long count, long depth);
  // rows[i] += from[i], in order.
  void (*addRows)(float *_Nonnull const *_Nonnull rows, const float *from, long count,
                  long depth);
  // c[r, n] (+)= sum over k of a[r * aRow + k * aStep] b[k * bRow + n]: the backward products.
  // Sums of 256 terms are formed from zero and then added in ascending order.
  void (*product)(float *c, long cRow, const float *a, long aRow, long aStep, const float *b,
                  long bRow, long rows, long columns, long depth, int accumulate);

  // Attention of `queries` rows of q (`stride` apart, as in out) over panels of keys and rows of
  // values. Query i sees positions 0 through firstPosition + i * positionStep. `scratch` holds
  // 12 x the last position rounded up to 32.
  void (*attend)(float *out, const float *q, long stride, long queries, long firstPosition,
                 long positionStep, const float *keys, const float *values, long headSize,
                 float scale, float *scratch);
  // The same probabilities, normalized, `[queries, width]`, zero beyond each query's position.
  void (*probabilities)(float *p, long width, const float *q, long stride, long queries,
                        long firstPosition, const float *keys, long headSize, float scale);
  // out[m, n] = chain over ascending k of a[m, k] panels[k, n], outputs and rows at any stride.
  void (*panels)(float *out, long outRow, const float *a, long aRow, long rows,
                 const float *packed, long columns, long depth);
  // ds = p (dp - sum of p dp) scale over each query's positions, zero beyond; in place of dp.
  void (*softmaxBackward)(float *dp, const float *p, long width, long queries, long firstPosition,
                          float scale);

  // Rows.
  void (*rmsNorm)(float *out, const float *x, const float *weight, long rows, long width,
                  float epsilon);
  void (*rmsNormBackward)(float *dx, float *dweight, const float *dout, const float *x,
                          const float *weight, long rows, long width, float epsilon,
                          int addToInput);
  void (*rope)(float *x, const float *cosines, const float *sines, const int32_t *positions,
               long rows, long heads, long headSize, int inverse);

  // Elements.
  void (*swiglu)(float *out, const float *gate, const float *up, long count);
  void (*swigluBackward)(float *dgate, float *dup, const float *dout, const float *gate,
                         const float *up, long count);
  void (*add)(float *x, const float *y, long count);
  void (*exponential)(float *out, const float *x, long count);

  // The head's softmax over z = logits * inverseTemperature.
  // statistics: the maximum of z, the sum of exp(z - max), and of exp(z - max) (z - max).
  void (*headStatistics)(float statistics[_Nonnull 3], const float *logits, long count,
                         float inverseTemperature);
  // out = exp(z - max).
  void (*headExponentials)(float *out, const float *logits, long count, float inverseTemperature,
                           float maximum);
  // In place: -p (logProbSlope + entropySlope (log p + entropy)) inverseTemperature.
  void (*headSlopes)(float *logits, long count, float inverseTemperature,
                     const float statistics[_Nonnull 3], float logSum, float entropy,
                     float logProbSlope, float entropySlope);

  // The optimizer. `rate` is learningRate / (1 - beta1^t), `root` is 1 / sqrt(1 - beta2^t).
  void (*adamW)(float *parameters, const float *gradients, float *first, float *second, long count,
                float gradientScale, float beta1, float beta2, float epsilon, float rate,
                float root, float keep);
  // Sum of squares in double, 8 lanes and one tree.
  double (*sumOfSquares)(const float *x, long count);
} ForageKernels;

enum { FORAGE_PORTABLE = 0, FORAGE_AVX2 = 1, FORAGE_AVX512 = 2 };

// The table of an instruction set, or null where this machine lacks it.
const ForageKernels *_Nullable forageKernels(int instructionSet);

// Tells the processor that this is a spinning wait.
static inline void foragePause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
#endif
