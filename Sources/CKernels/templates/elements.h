// Elementwise kernels, and the exponential that every softmax and every gate shares.

#define ALWAYS static inline __attribute__((always_inline))

// Up to 16 floats, the missing lanes zero.
ALWAYS V take(const float *p, long n) { return n >= 16 ? vLoad(p) : vLoadFirst(p, n); }
ALWAYS void give(float *p, V x, long n) {
  if (n >= 16) {
    vStore(p, x);
  } else {
    vStoreFirst(p, x, n);
  }
}

// e^x to about 1 ulp: x = n ln 2 + r with |r| <= ln 2 / 2, and e^r = 1 + r + r^2 q(r), where q is
// the Chebyshev interpolant of degree 4. Zero below the least normal float, so no lane is ever
// subnormal; infinity above 88.72; NaN stays NaN, because max and min return their second operand.
ALWAYS V vExp(V x) {
  V least = vSet(-87.33654f);
  V bounded = vMin(vSet(89.0f), vMax(least, x));
  // Adding 1.5 x 2^23 rounds to an integer in the low bits.
  V magic = vSet(12582912.0f);
  V n = vSub(vFma(bounded, vSet(1.44269504f), magic), magic);
  V r = vFnma(n, vSet(0x1.62e4p-1f), bounded);
  r = vFnma(n, vSet(1.42860682e-6f), r);
  V q = vFma(vSet(0x1.6d10fep-10f), r, vSet(0x1.120b64p-7f));
  q = vFma(q, r, vSet(0x1.55551ap-5f));
  q = vFma(q, r, vSet(0x1.5554dep-3f));
  q = vFma(q, r, vSet(0.5f));
  V e = vAdd(vFma(vMul(r, r), q, r), vSet(1.0f));
  return vIfBelow(x, least, vSet(0.0f), vScale(e, n));
}

static void exponential(float *out, const float *x, long count) {
  for (long i = 0; i < count; i += 16) give(out + i, vExp(take(x + i, count - i)), count - i);
}

static void add(float *x, const float *y, long count) {
  for (long i = 0; i < count; i += 16) {
    give(x + i, vAdd(take(x + i, count - i), take(y + i, count - i)), count - i);
  }
}

// 1 / (1 + e^-x)
ALWAYS V vSigmoid(V x) {
  V one = vSet(1.0f);
  return vDiv(one, vAdd(one, vExp(vSub(vSet(0.0f), x))));
}

static void swiglu(float *out, const float *gate, const float *up, long count) {
  for (long i = 0; i < count; i += 16) {
    V g = take(gate + i, count - i);
    give(out + i, vMul(vMul(g, vSigmoid(g)), take(up + i, count - i)), count - i);
  }
}

// silu'(g) = s (1 + g (1 - s)) with s = sigmoid(g).
static void swigluBackward(float *dgate, float *dup, const float *dout, const float *gate,
                           const float *up, long count) {
  V one = vSet(1.0f);
  for (long i = 0; i < count; i += 16) {
    long n = count - i;
    V g = take(gate + i, n), u = take(up + i, n), d = take(dout + i, n);
    V s = vSigmoid(g);
    V slope = vMul(s, vFma(g, vSub(one, s), one));
    give(dup + i, vMul(d, vMul(g, s)), n);
    give(dgate + i, vMul(vMul(d, u), slope), n);
  }
}

static void adamW(float *parameters, const float *gradients, float *first, float *second,
                  long count, float gradientScale, float beta1, float beta2, float epsilon,
                  float rate, float root, float keep) {
  V scale = vSet(gradientScale), b2 = vSet(beta2), e = vSet(epsilon), r = vSet(rate);
  V c1 = vSet(1.0f - beta1), c2 = vSet(1.0f - beta2), rooted = vSet(root), kept = vSet(keep);
  for (long i = 0; i < count; i += 16) {
    long n = count - i;
    V g = vMul(take(gradients + i, n), scale);
    V m = take(first + i, n), v = take(second + i, n), p = take(parameters + i, n);
    m = vFma(c1, vSub(g, m), m);
    v = vFma(c2, vMul(g, g), vMul(v, b2));
    V step = vDiv(m, vFma(vSqrt(v), rooted, e));
    give(first + i, m, n);
    give(second + i, v, n);
    give(parameters + i, vFnma(r, step, vMul(p, kept)), n);
  }
}

// A float's square is exact in double, so fusing could not change it.
static double sumOfSquares(const float *x, long count) {
  double lane[8] = {0};
  long i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; j++) lane[j] += (double)x[i + j] * (double)x[i + j];
  }
  for (int j = 0; i < count; i++, j++) lane[j] += (double)x[i] * (double)x[i];
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}
