// Elementary functions from IEEE-754 add, subtract, multiply and divide alone, so that every
// machine gives the same bits. It knows no tensor. Method: Cody-Waite range reduction and a
// polynomial, as in every textbook on elementary functions (Muller, "Elementary Functions").

const LOG2E: f32 = 1.44269504;
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;

/** e^x for four floats. Arguments are clamped to [-87, 88], so the result is a normal number. */
// @ts-ignore: decorator
@inline
export function exp4(argument: v128): v128 {
  const x = f32x4.min(f32x4.max(argument, f32x4.splat(-87)), f32x4.splat(88));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(LOG2E)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let p = f32x4.splat(1.3888889e-3);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3333333e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1666667e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666667e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  const exponent = i32x4.shl(i32x4.trunc_sat_f32x4_s(n), 23);
  return i32x4.add(p, exponent);
}

/** Natural logarithm of a positive normal float, in double precision (used for the loss only). */
export function log(value: f32): f64 {
  let bits = reinterpret<i32>(value);
  let exponent = (bits >> 23) - 127;
  let mantissa = <f64>reinterpret<f32>((bits & 0x7fffff) | 0x3f800000);
  if (mantissa > 1.4142135) {
    mantissa *= 0.5;
    exponent++;
  }
  const s = (mantissa - 1) / (mantissa + 1);
  const z = s * s;
  const series = 1 + z * (1 / 3.0 + z * (0.2 + z * (1 / 7.0 + z * (1 / 9.0 + z * (1 / 11.0)))));
  return 2 * s * series + <f64>exponent * 0.6931471805599453;
}

/** Sum of the four lanes in a fixed order. */
// @ts-ignore: decorator
@inline
export function sum4(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** Largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function max4(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}
