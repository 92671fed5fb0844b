/**
 * Elementary functions from add, subtract, multiply and divide alone, in double precision, so that
 * the rotary table and the learning-rate curve have the same bits on every machine. The host's
 * `Math.sin`, `Math.exp` and friends may differ in the last bit and are not used for weights.
 * Series: Abramowitz and Stegun 4.1, 4.2 and 4.3.
 */

const LN2 = Math.LN2;
/** Terms of each series: enough for double precision on the reduced range. */
const SERIES_TERMS = 24;

/** Natural logarithm of a positive number. */
export function naturalLog(value: number): number {
  let mantissa = value;
  let exponent = 0;
  for (; mantissa > 1.5; exponent++) mantissa /= 2;
  for (; mantissa < 0.75; exponent--) mantissa *= 2;
  const s = (mantissa - 1) / (mantissa + 1);
  let power = s;
  let sum = 0;
  for (let k = 1; k < 2 * SERIES_TERMS; k += 2) {
    sum += power / k;
    power *= s * s;
  }
  return 2 * sum + exponent * LN2;
}

/** e to the power of `value`. */
export function exponential(value: number): number {
  const whole = Math.round(value / LN2);
  const rest = value - whole * LN2;
  let term = 1;
  let sum = 1;
  for (let k = 1; k < SERIES_TERMS; k++) {
    term *= rest / k;
    sum += term;
  }
  for (let k = 0; k < Math.abs(whole); k++) sum = whole > 0 ? sum * 2 : sum / 2;
  return sum;
}

/** Sine and cosine of an angle in radians (absolute value below about 10,000). */
export function sineCosine(angle: number): { readonly sine: number; readonly cosine: number } {
  const turn = 6.283185307179586;
  const rest = angle - Math.round(angle / turn) * turn;
  let term = 1;
  let sine = 0;
  let cosine = 0;
  for (let k = 0; k < 2 * SERIES_TERMS; k++) {
    const sign = k % 4 < 2 ? 1 : -1;
    if (k % 2 === 0) cosine += sign * term;
    else sine += sign * term;
    term *= rest / (k + 1);
  }
  return { sine, cosine };
}
