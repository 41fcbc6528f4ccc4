// Attention of one head over keys 0 through a position, the one function that the full pass and
// the cache share, and the pieces of its backward pass.
//
// Keys lie in panels of 32 positions anchored at position 0: panel[d][32]. Scores are chains over
// ascending d with positions in the lanes; the maximum, the exponentials and their sum go by
// vectors of 16 positions, the last one masked; each output is 4 interleaved chains over ascending
// positions (position mod 4), joined (0 + 1) + (2 + 3), times 1 / sum. Nothing depends on how many
// positions the keys hold beyond the query's own.

enum { QUERY_TILE = 12 };

// Scores of queries over positions 0 ..< 16 * vectors, `width` apart.
ALWAYS void scores(float *out, long width, const float *q, long stride, long queries,
                   const float *keys, long vectors, long headSize) {
  Product o = {.c = out, .cRow = width, .a = q, .aRow = stride, .aStep = 1, .b = keys,
               .panel = headSize * FORAGE_PANEL, .depth = headSize, .columns = vectors * 16,
               .start = START_ZERO, .addStored = 0, .bias = 0};
  sweep(o, queries, vectors);
}

// Scores become exp(scale * score - maximum) over 0 ... position; the lanes beyond, in the last
// vector, become 0. Returns 1 / sum.
ALWAYS float exponentiate(float *row, long position, float scale) {
  const long count = position + 1, vectors = (count + 15) / 16, last = count - (vectors - 1) * 16;
  const V s = vSet(scale), none = vSet(-__builtin_inff());
  V peak = none;
  for (long v = 0; v < vectors; v++) {
    V x = vMul(vLoad(row + v * 16), s);
    if (v == vectors - 1) x = vKeepFirst(x, none, last);
    vStore(row + v * 16, x);
    peak = vMax(x, peak);
  }
  const V maximum = vSet(vPeak(peak));
  V sum = vSet(0.0f);
  for (long v = 0; v < vectors; v++) {
    V e = vExp(vSub(vLoad(row + v * 16), maximum));
    if (v == vectors - 1) e = vKeepFirst(e, vSet(0.0f), last);
    vStore(row + v * 16, e);
    sum = vAdd(sum, e);
  }
  return 1.0f / vSum(sum);
}

// `lanes` < 16 only with one vector: the tail of a head whose size is no multiple of 16.
ALWAYS void weighValues(const int queries, const int vectors, const int masked, float *out,
                        long outRow, const float *p, long width, const long *counts,
                        const float *inverses, const float *values, long headSize, long lanes) {
  V sum[VALUE_QUERIES][4][VALUE_VECTORS];
#define EACH_SUM                                                                      \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < queries; i++)                \
  _Pragma("clang loop unroll(full)") for (int v = 0; v < vectors; v++)
#define VALUE(j, v) \
  (masked ? vLoadFirst(values + (j)*headSize, lanes) : vLoad(values + (j)*headSize + (v)*16))
  EACH_SUM {
#pragma clang loop unroll(full)
    for (int u = 0; u < 4; u++) sum[i][u][v] = vSet(0.0f);
  }
  long common = counts[0];
  for (int i = 1; i < queries; i++) common = counts[i] < common ? counts[i] : common;
  common &= ~3L;
  for (long j = 0; j < common; j += 4) {
#pragma clang loop unroll(full)
    for (int u = 0; u < 4; u++) {
      EACH_SUM {
        sum[i][u][v] = vFma(vSet(p[i * width + j + u]), VALUE(j + u, v), sum[i][u][v]);
      }
    }
  }
  EACH_SUM {
    const float *row = p + i * width;
    const long count = counts[i];
    long j = common;
    for (; j + 4 <= count; j += 4) {
#pragma clang loop unroll(full)
      for (int u = 0; u < 4; u++) {
        sum[i][u][v] = vFma(vSet(row[j + u]), VALUE(j + u, v), sum[i][u][v]);
      }
    }
#pragma clang loop unroll(full)
    for (int u = 0; u < 3; u++) {
      if (j + u < count) sum[i][u][v] = vFma(vSet(row[j + u]), VALUE(j + u, v), sum[i][u][v]);
    }
    V total = vAdd(vAdd(sum[i][0][v], sum[i][1][v]), vAdd(sum[i][2][v], sum[i][3][v]));
    give(out + i * outRow + v * 16, vMul(total, vSet(inverses[i])), masked ? lanes : 16);
  }
#undef EACH_SUM
#undef VALUE
}

static void panels(float *out, long outRow, const float *a, long aRow, long rows,
                   const float *packed, long columns, long depth) {
  scores(out, outRow, a, aRow, rows, packed, (columns + 15) / 16, depth);
}

static void attend(float *out, const float *q, long stride, long queries, long firstPosition,
                   long positionStep, const float *keys, const float *values, long headSize,
                   float scale, float *scratch) {
  for (long base = 0; base < queries; base += QUERY_TILE) {
    const long n = queries - base < QUERY_TILE ? queries - base : QUERY_TILE;
    const long first = firstPosition + base * positionStep;
    const long vectors = (first + (n - 1) * positionStep) / 16 + 1, width = vectors * 16;
    scores(scratch, width, q + base * stride, stride, n, keys, vectors, headSize);
    long counts[QUERY_TILE];
    float inverses[QUERY_TILE];
    for (long i = 0; i < n; i++) {
      counts[i] = first + i * positionStep + 1;
      inverses[i] = exponentiate(scratch + i * width, counts[i] - 1, scale);
    }
    for (long i = 0; i < n;) {
      const int pair = VALUE_QUERIES == 2 && i + 2 <= n;
      float *to = out + (base + i) * stride;
      const float *p = scratch + i * width;
      long d = 0;
#define WEIGH(q, v, masked, lanes)                                                        \
  weighValues(q, v, masked, to + d, stride, p, width, counts + i, inverses + i, values + d, \
              headSize, lanes)
      for (; d + 16 * VALUE_VECTORS <= headSize; d += 16 * VALUE_VECTORS) {
        if (pair) {
          WEIGH(VALUE_QUERIES, VALUE_VECTORS, 0, 16);
        } else {
          WEIGH(1, VALUE_VECTORS, 0, 16);
        }
      }
      for (; d < headSize; d += 16) {
        const long lanes = headSize - d < 16 ? headSize - d : 16;
        if (pair) {
          WEIGH(VALUE_QUERIES, 1, 1, lanes);
        } else {
          WEIGH(1, 1, 1, lanes);
        }
      }
#undef WEIGH
      i += pair ? 2 : 1;
    }
  }
}

static void probabilities(float *p, long width, const float *q, long stride, long queries,
                          long firstPosition, const float *keys, long headSize, float scale) {
  const long vectors = (firstPosition + queries - 1) / 16 + 1;
  scores(p, width, q, stride, queries, keys, vectors, headSize);
  for (long i = 0; i < queries; i++) {
    float *row = p + i * width;
    const long own = (firstPosition + i) / 16 + 1;
    const V inverse = vSet(exponentiate(row, firstPosition + i, scale));
    for (long v = 0; v < own; v++) vStore(row + v * 16, vMul(vLoad(row + v * 16), inverse));
    for (long v = own; v < width / 16; v++) vStore(row + v * 16, vSet(0.0f));
  }
}

static void softmaxBackward(float *dp, const float *p, long width, long queries,
                            long firstPosition, float scale) {
  for (long i = 0; i < queries; i++) {
    const long count = firstPosition + i + 1, vectors = (count + 15) / 16;
    float *d = dp + i * width;
    const float *row = p + i * width;
    V dot = vSet(0.0f);
    for (long v = 0; v < vectors; v++) {
      V x = vKeepFirst(vLoad(d + v * 16), vSet(0.0f), count - v * 16 < 16 ? count - v * 16 : 16);
      vStore(d + v * 16, x);
      dot = vFma(x, vLoad(row + v * 16), dot);
    }
    const V mean = vSet(vSum(dot)), s = vSet(scale);
    for (long v = 0; v < vectors; v++) {
      V x = vSub(vLoad(d + v * 16), mean);
      vStore(d + v * 16, vMul(vMul(vLoad(row + v * 16), x), s));
    }
    for (long v = vectors; v < width / 16; v++) vStore(d + v * 16, vSet(0.0f));
  }
}
