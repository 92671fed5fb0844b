/** Bytes as `0x` text and back; thin names over viem so that rooms need not import it for this. */
import { bytesToHex, hexToBytes, isHex } from 'viem';

export type Hex = `0x${string}`;
export type Address = `0x${string}`;

/** `0x`-prefixed lower-case text of the bytes. */
export const toHex = (bytes: Uint8Array): Hex => bytesToHex(bytes);

/** Bytes of `0x` text. */
export const fromHex = (hex: Hex): Uint8Array => hexToBytes(hex);

/** True for `0x` followed by exactly `bytes` bytes of hexadecimal text. */
export function isHexOf(value: unknown, bytes: number): value is Hex {
  return isHex(value) && value.length === 2 + 2 * bytes;
}

/** Joins byte strings. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
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
  if (typeof value === 'bigint') {
    const digits = value.toString(16).padStart(2 * size, '0');
    bytes.set(hexToBytes(`0x${digits}`).subarray(-size));
    return bytes;
  }
  let rest = value;
  for (let index = size - 1; rest > 0 && index >= 0; index--) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}
