// The softmax of the head over z = logits * inverseTemperature, for scoring, sampling and slopes.

static void headStatistics(float statistics[3], const float *logits, long count,
                           float inverseTemperature) {
  const V t = vSet(inverseTemperature), none = vSet(-__builtin_inff()), zero = vSet(0.0f);
  V peak = none;
  for (long i = 0; i < count; i += 16) {
    V z = vMul(take(logits + i, count - i), t);
    if (count - i < 16) z = vKeepFirst(z, none, count - i);
    peak = vMax(z, peak);
  }
  const float maximum = vPeak(peak);
  const V top = vSet(maximum);
  V sum = zero, weighted = zero;
  for (long i = 0; i < count; i += 16) {
    V distance = vSub(vMul(take(logits + i, count - i), t), top);
    V e = vExp(distance);
    if (count - i < 16) e = vKeepFirst(e, zero, count - i);
    sum = vAdd(sum, e);
    // A logit of -infinity has weight 0 and must not make 0 x infinity.
    weighted = vFma(e, vIfBelow(distance, vSet(-104.0f), zero, distance), weighted);
  }
  statistics[0] = maximum;
  statistics[1] = vSum(sum);
  statistics[2] = vSum(weighted);
}

static void headExponentials(float *out, const float *logits, long count,
                             float inverseTemperature, float maximum) {
  const V t = vSet(inverseTemperature), top = vSet(maximum);
  for (long i = 0; i < count; i += 16) {
    give(out + i, vExp(vSub(vMul(take(logits + i, count - i), t), top)), count - i);
  }
}

static void headSlopes(float *logits, long count, float inverseTemperature,
                       const float statistics[3], float logSum, float entropy, float logProbSlope,
                       float entropySlope) {
  const V t = vSet(inverseTemperature), top = vSet(statistics[0]), zero = vSet(0.0f);
  const V inverse = vSet(1.0f / statistics[1]), log = vSet(logSum), h = vSet(entropy);
  const V a = vSet(logProbSlope), e = vSet(entropySlope);
  for (long i = 0; i < count; i += 16) {
    const long n = count - i;
    V distance = vSub(vMul(take(logits + i, n), t), top);
    V p = vMul(vExp(distance), inverse);
    V surprise = vAdd(vSub(vIfBelow(distance, vSet(-104.0f), zero, distance), log), h);
    give(logits + i, vMul(vSub(zero, vMul(p, vFma(e, surprise, a))), t), n);
  }
}
