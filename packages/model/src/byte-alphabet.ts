/**
 * The printable alphabet in which byte-level vocabularies write bytes (GPT-2, Radford et al. 2019): printable Latin-1
 * bytes stand for themselves, the other 68 are U+0100 and up in byte order.
 */

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** Character of each byte. */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPrintable(byte) ? byte : next++),
  );
})();

const BYTES_BY_CODE = new Map(BYTE_CHARACTERS.map((text, byte) => [text.charCodeAt(0), byte]));

/** Bytes that a vocabulary entry stands for, or undefined if it has a character outside the alphabet. */
export function bytesOfEntry(entry: string): Uint8Array | undefined {
  const bytes = new Uint8Array(entry.length);
  for (let index = 0; index < entry.length; index++) {
    const byte = BYTES_BY_CODE.get(entry.charCodeAt(index));
    if (byte === undefined) return undefined;
    bytes[index] = byte;
  }
  return bytes;
}

/** The entry that stands for `bytes`. */
export const entryOfBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => BYTE_CHARACTERS[byte]!).join('');
