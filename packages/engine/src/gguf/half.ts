/** IEEE 754 binary16 and bfloat16 against binary32, exactly, with round to nearest even when narrowing. */

const scratch = new DataView(new ArrayBuffer(4));

/** Value of binary16 `bits`; exact, infinities and NaN included. */
export function float16ToFloat32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  // Subnormals are fraction * 2^-24; normals (1024 + fraction) * 2^(exponent - 25).
  return exponent === 0
    ? sign * fraction * 2 ** -24
    : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Value of bfloat16 `bits`: the upper half of a binary32. */
export function bfloat16ToFloat32(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** binary16 bits nearest to `value`, ties to even; beyond the range it gives infinity. */
export function float32ToFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 255;
  const fraction = bits & 0x7fffff;
  if (exponent === 255) return sign | (fraction === 0 ? 0x7c00 : 0x7e00);
  if (exponent >= 143) return sign | 0x7c00;
  if (exponent < 102) return sign;
  if (exponent < 113) return sign | shiftToEven(0x800000 | fraction, 126 - exponent);
  // A carry out of the fraction moves into the exponent, which is what rounding up to the next power means.
  return sign | (((exponent - 112) << 10) + shiftToEven(fraction, 13));
}

/** `value` / 2^`bits`, ties to even. */
function shiftToEven(value: number, bits: number): number {
  const odd = (value >> bits) & 1;
  return (value + (1 << (bits - 1)) - 1 + odd) >> bits;
}

/** bfloat16 bits nearest to `value`, ties to even. */
export function float32ToBfloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}
