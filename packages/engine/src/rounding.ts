/** Exact operations on doubles: only additions, comparisons and bit patterns, which IEEE 754 fixes on every machine. */

/** Nearest integer, ties to even; exact for every double, because floor and the difference below are. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

const bits = new DataView(new ArrayBuffer(8));

/** 2^n for -1022 <= n <= 1023, from its bits: the language leaves the accuracy of `2 ** n` to the implementation. */
export function powerOfTwo(n: number): number {
  bits.setUint32(0, (n + 1023) << 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

/** floor(log2(x)) of a positive normal double. */
export function floorLog2(x: number): number {
  bits.setFloat64(0, x);
  return ((bits.getUint32(0) >>> 20) & 0x7ff) - 1023;
}
