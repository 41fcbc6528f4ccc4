// Kernels over rows: RMS norm (Zhang and Sennrich, arXiv 1910.07467) and rotary positions
// (Su et al., arXiv 2104.09864).

// 1 / sqrt(mean(x^2) + epsilon)
ALWAYS float normalizer(const float *x, long width, float epsilon) {
  V squares = vSet(0.0f);
  for (long i = 0; i < width; i += 16) {
    V v = take(x + i, width - i);
    squares = vFma(v, v, squares);
  }
  return 1.0f / __builtin_sqrtf(vSum(squares) / (float)width + epsilon);
}

static void rmsNorm(float *out, const float *x, const float *weight, long rows, long width,
                    float epsilon) {
  for (long row = 0; row < rows; row++, x += width, out += width) {
    const V scale = vSet(normalizer(x, width, epsilon));
    for (long i = 0; i < width; i += 16) {
      const long n = width - i;
      give(out + i, vMul(vMul(take(x + i, n), scale), take(weight + i, n)), n);
    }
  }
}

// With s the normalizer and y = x s w: dx = s w dout - x s^3 / width sum(dout w x),
// dweight += dout x s.
static void rmsNormBackward(float *dx, float *dweight, const float *dout, const float *x,
                            const float *weight, long rows, long width, float epsilon,
                            int addToInput) {
  for (long row = 0; row < rows; row++, x += width, dx += width, dout += width) {
    const float s = normalizer(x, width, epsilon);
    V dot = vSet(0.0f);
    for (long i = 0; i < width; i += 16) {
      const long n = width - i;
      dot = vFma(vMul(take(dout + i, n), take(weight + i, n)), take(x + i, n), dot);
    }
    const V scale = vSet(s), along = vSet(s * s * s * vSum(dot) / (float)width);
    for (long i = 0; i < width; i += 16) {
      const long n = width - i;
      V v = take(x + i, n), d = take(dout + i, n);
      give(dweight + i, vFma(vMul(d, v), scale, take(dweight + i, n)), n);
      V slope = vFnma(along, v, vMul(vMul(d, take(weight + i, n)), scale));
      give(dx + i, addToInput ? vAdd(take(dx + i, n), slope) : slope, n);
    }
  }
}

static void rope(float *x, const float *cosines, const float *sines, const int32_t *positions,
                 long rows, long heads, long headSize, int inverse) {
  const long half = headSize / 2;
  const V sign = vSet(inverse ? -1.0f : 1.0f);
  for (long row = 0; row < rows; row++) {
    const float *cosine = cosines + positions[row] * half, *sine = sines + positions[row] * half;
    for (long head = 0; head < heads; head++, x += headSize) {
      for (long i = 0; i < half; i += 16) {
        const long n = half - i;
        V c = take(cosine + i, n), s = vMul(take(sine + i, n), sign);
        V a = take(x + i, n), b = take(x + half + i, n);
        give(x + i, vFnma(b, s, vMul(a, c)), n);
        give(x + half + i, vFma(a, s, vMul(b, c)), n);
      }
    }
  }
}
