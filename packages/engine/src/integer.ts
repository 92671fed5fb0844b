/**
 * The integer primitives of the arithmetic (arithmetic.md, section 2), as readable BigInt: the definition that every
 * faster version is tested against. Letters of the specification stand beside each function.
 */
/** R(x, s): x / 2^s rounded to nearest, ties to even; s <= 0 shifts left and saturates at +-2^62. */
export function roundShift(x: bigint, s: number): bigint {
  if (s >= 63) return 0n;
  if (s <= 0) return shiftLeft(x, -s);
  const shift = BigInt(s);
  return (x + (1n << (shift - 1n)) - 1n + ((x >> shift) & 1n)) >> shift;
}

/** C(x, b): x limited to [-(2^b - 1), 2^b - 1]; the value -2^b never appears. */
export function clampBits(x: bigint, b: number): bigint {
  const limit = (1n << BigInt(b)) - 1n;
  return x > limit ? limit : x < -limit ? -limit : x;
}

/** L(x): bit length of |x|; L(0) = 0. */
export function bitLength(x: bigint): number {
  let magnitude = x < 0n ? -x : x;
  let bits = 0;
  for (; magnitude >= 0x1_0000_0000n; magnitude >>= 32n) bits += 32;
  return bits + 32 - Math.clz32(Number(magnitude));
}

/** L of the element with the largest magnitude; 0 for an empty row. */
export function bitLengthMax(row: readonly bigint[]): number {
  let largest = 0n;
  for (const x of row) {
    const magnitude = x < 0n ? -x : x;
    if (magnitude > largest) largest = magnitude;
  }
  return bitLength(largest);
}

/** floor(sqrt(x)) for x >= 0, by Newton's steps from above. */
export function isqrt(x: bigint): bigint {
  if (x < 2n) return x;
  let root = 1n << BigInt((bitLength(x) + 1) >> 1);
  for (;;) {
    const next = (root + x / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** log2b(x): log2(x) in Q24 for x in [1, 2^32), one bit per squaring, rounded down. */
export function log2b(x: bigint): bigint {
  const whole = bitLength(x) - 1;
  let mantissa = x << BigInt(31 - whole);
  let result = BigInt(whole);
  for (let step = 0; step < 24; step++) {
    mantissa = (mantissa * mantissa) >> 31n;
    result <<= 1n;
    if (mantissa >= 1n << 32n) {
      result += 1n;
      mantissa >>= 1n;
    }
  }
  return result;
}

function shiftLeft(x: bigint, shift: number): bigint {
  if (bitLength(x) + shift <= 62) return x << BigInt(shift);
  return x > 0n ? 1n << 62n : x < 0n ? -(1n << 62n) : 0n;
}
