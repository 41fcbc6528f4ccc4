// Laying rows out in panels: panel[k][32], lane by row. 16 x 16 blocks are turned in registers,
// since storing one float a time to 16 lines costs several times as much.

typedef float Lanes __attribute__((vector_size(64)));

ALWAYS void takeLanes(Lanes *to, const float *p, long n) {
  V x = take(p, n);
  __builtin_memcpy(to, &x, sizeof x);
}

// Exchanges the off-diagonal blocks of size `step` between rows i and i + step.
#define LOW(l, step) (((l) & (step)) ? 16 + ((l) ^ (step)) : (l))
#define HIGH(l, step) (((l) & (step)) ? 16 + (l) : ((l) | (step)))
#define MIX(a, b, f, s)                                                                         \
  __builtin_shufflevector(a, b, f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s),  \
                          f(7, s), f(8, s), f(9, s), f(10, s), f(11, s), f(12, s), f(13, s),    \
                          f(14, s), f(15, s))
#define EXCHANGE(step)                                          \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) { \
    if ((i & (step)) == 0) {                                    \
      Lanes a = x[i], b = x[i | (step)];                        \
      x[i] = MIX(a, b, LOW, step);                              \
      x[i | (step)] = MIX(a, b, HIGH, step);                    \
    }                                                           \
  }

// to[k * 32 + lane] = rows[lane][k] for 16 lanes and up to 16 k; lanes from `count` on are zero.
ALWAYS void turn(float *to, float *const *rows, long count, long k, long steps) {
  Lanes x[16];
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++) {
    x[i] = (Lanes){0};
    if (i < count) takeLanes(&x[i], rows[i] + k, steps);
  }
  EXCHANGE(8)
  EXCHANGE(4)
  EXCHANGE(2)
  EXCHANGE(1)
#pragma clang loop unroll(full)
  for (int i = 0; i < 16; i++) {
    if (i < steps) __builtin_memcpy(to + (k + i) * FORAGE_PANEL, &x[i], sizeof x[i]);
  }
}

static void layPanels(float *panels, float *const *rows, long count, long depth) {
  for (long lane = 0; lane < count; lane += 16) {
    float *to = panels + lane / FORAGE_PANEL * FORAGE_PANEL * depth + lane % FORAGE_PANEL;
    for (long k = 0; k < depth; k += 16) {
      turn(to, rows + lane, count - lane, k, depth - k < 16 ? depth - k : 16);
    }
  }
}

static void layRows(float *out, float *const *rows, long count, long depth) {
  for (long row = 0; row < count; row++, out += depth) {
    for (long k = 0; k < depth; k += 16) give(out + k, take(rows[row] + k, depth - k), depth - k);
  }
}

static void addRows(float *const *rows, const float *from, long count, long depth) {
  for (long row = 0; row < count; row++, from += depth) {
    float *to = rows[row];
    for (long k = 0; k < depth; k += 16) {
      give(to + k, vAdd(take(to + k, depth - k), take(from + k, depth - k)), depth - k);
    }
  }
}

static void pack(float *packed, const float *w, long stride, long panelBegin, long panelEnd,
                 long outputs, long inputs) {
  for (long p = panelBegin; p < panelEnd; p++) {
    float *rows[FORAGE_PANEL];
    const long first = p * FORAGE_PANEL, left = outputs - first;
    const long count = left < FORAGE_PANEL ? left : FORAGE_PANEL;
    for (long lane = 0; lane < count; lane++) rows[lane] = (float *)w + (first + lane) * stride;
    float *to = packed + first * inputs;
    layPanels(to, rows, count, inputs);
    if (count > 16) continue;
    // The upper half of the last panel, which no row reached.
    for (long k = 0; k < inputs; k++) vStore(to + k * FORAGE_PANEL + 16, vSet(0.0f));
  }
}
