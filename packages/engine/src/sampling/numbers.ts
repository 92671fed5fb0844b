/**
 * Primitives of arithmetic.md, section 2, in doubles that hold only integers below 2^53: what the sampler needs for
 * every id of every token. `integer.ts` and `tables.ts` have the same in BigInt.
 */
import { powerOfTwo, roundHalfEven } from '../rounding.js';
import { EXP2_HIGH, EXP2_LOW } from '../tables.js';

/** R(value * factor, 16), exact for any 32-bit value and unsigned 32-bit factor: the value is taken in two halves. */
export const multiplyShift16 = (value: number, factor: number): number =>
  roundSplit((value >> 16) * factor, (value & 0xffff) * factor);

/** R(high * 2^16 + low, 16) for integers |high| < 2^48, 0 <= low < 2^48. */
function roundSplit(high: number, low: number): number {
  const floor = high + Math.floor(low / 65_536);
  const rest = low % 65_536;
  if (rest !== 32_768) return rest < 32_768 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** exp2n of arithmetic.md in doubles: the product of two 31-bit table entries is taken in halves. */
export function exp2nNumber(q: number): number {
  const shift = Math.floor(q / 65_536);
  if (shift >= 32) return 0;
  const high = EXP2_HIGH[(q % 65_536) >> 8]!;
  const low = EXP2_LOW[q % 256]!;
  const upper = (high >>> 15) * low;
  const rest = (upper % 32_768) * 32_768 + (high & 0x7fff) * low + 2 ** 29;
  return roundHalfEven(
    (Math.floor(upper / 32_768) + Math.floor(rest / 2 ** 30)) / powerOfTwo(shift),
  );
}

/** log2b of arithmetic.md in doubles: the square of a 32-bit mantissa is taken in halves. */
export function log2bNumber(x: number): number {
  const whole = 31 - Math.clz32(x);
  let mantissa = x * powerOfTwo(31 - whole);
  let result = whole;
  for (let step = 0; step < 24; step++) {
    const high = Math.floor(mantissa / 65_536);
    const low = mantissa % 65_536;
    mantissa = high * high * 2 + Math.floor((high * low * 131_072 + low * low) / 2 ** 31);
    result *= 2;
    if (mantissa >= 2 ** 32) {
      result += 1;
      mantissa = Math.floor(mantissa / 2);
    }
  }
  return result;
}
