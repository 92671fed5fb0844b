/** Bytes as `0x` text and back, by table: hashes and signatures cross this several hundred times per answer. */
import { assert } from './errors.js';

export type Hex = `0x${string}`;
export type Address = `0x${string}`;

const TEXT_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Value of each character below 128; 255 for those that are no hexadecimal digit. */
const DIGIT_OF_CODE = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? 255 : digit;
});

/** `0x`-prefixed lower-case text of the bytes. */
export function toHex(bytes: Uint8Array): Hex {
  let text = '0x';
  for (let index = 0; index < bytes.length; index++) text += TEXT_OF_BYTE[bytes[index]!]!;
  return text as Hex;
}

/** Bytes of `0x` text; an odd number of digits gets a leading zero. The text must be hexadecimal: check it first. */
export function fromHex(hex: Hex): Uint8Array {
  const bytes = new Uint8Array((hex.length - 1) >> 1);
  writeHex(bytes, 0, hex);
  return bytes;
}

/** Writes the bytes of `hex` into `target` at `offset`; returns the offset behind them. */
export function writeHex(target: Uint8Array, offset: number, hex: Hex): number {
  let at = offset;
  let position = 2;
  if (hex.length % 2 === 1) target[at++] = digitAt(hex, position++);
  for (; position < hex.length; position += 2)
    target[at++] = digitAt(hex, position) * 16 + digitAt(hex, position + 1);
  return at;
}

function digitAt(hex: Hex, position: number): number {
  const digit = DIGIT_OF_CODE[hex.charCodeAt(position)] ?? 255;
  assert(digit < 16, 'only hexadecimal text is turned into bytes');
  return digit;
}

const HEX = /^0x[0-9a-f]*$/i;

/** True for `0x` followed by exactly `bytes` bytes of hexadecimal text. */
export const isHexOf = (value: unknown, bytes: number): value is Hex =>
  typeof value === 'string' && value.length === 2 + 2 * bytes && HEX.test(value);

/** Joins byte strings. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** `value` as `size` big-endian bytes; `value` is not negative and must fit. */
export function bigEndian(value: number | bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  writeBigEndian(bytes, value, { from: 0, to: size });
  return bytes;
}

/** Writes `value` big-endian into `bytes[from, to)`, which holds zeros; it is not negative and must fit. */
export function writeBigEndian(
  bytes: Uint8Array,
  value: number | bigint,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  let rest = value;
  let index = to;
  for (; typeof rest === 'bigint' && rest > MAX_SAFE && index > from; rest >>= 8n)
    bytes[--index] = Number(rest & 0xffn);
  for (let number = Number(rest); number > 0 && index > from; number = Math.floor(number / 256))
    bytes[--index] = number % 256;
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
