/** Canonical bytes: big-endian integers appended one after the other. */

/** Collects big-endian integers; `bytes()` returns everything so far. */
export function byteWriter() {
  const written: number[] = [];
  const integer = (value: number | bigint, size: number) => {
    const rest = BigInt.asUintN(8 * size, BigInt(value));
    for (let byte = size - 1; byte >= 0; byte--) {
      written.push(Number((rest >> BigInt(8 * byte)) & 255n));
    }
  };
  return {
    u8: (value: number) => integer(value, 1),
    u16: (value: number) => integer(value, 2),
    u32: (value: number) => integer(value, 4),
    /** Two's complement for negative values. */
    i64: (value: number | bigint) => integer(value, 8),
    /** One byte of length, then ASCII. */
    ascii(text: string) {
      integer(text.length, 1);
      for (const letter of text) integer(letter.charCodeAt(0), 1);
    },
    bytes: (): Uint8Array => Uint8Array.from(written),
  };
}

/** Joins byte strings. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
