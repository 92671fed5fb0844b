/**
 * The numbers of a row, drawn from hashes: `contracts/test/dispute/Draw.sol` draws the same ones, so that inputs need
 * not be shipped. Edges are drawn on purpose.
 */
import { bigEndian, concat, keccak } from '@assay/protocol';

/** How the numbers of a row are spread; row i uses spread i mod 4. */
const SPREADS = ['uniform', 'edges', 'largest', 'small'] as const;

/** Numbers from keccak256(keccak256(name ‖ u32 row) ‖ u32 block), eight words of 32 bits per block. */
export function drawStream(name: string, row: number) {
  const key = keccak(concat([new TextEncoder().encode(name), bigEndian(row, 4)]));
  const spread = SPREADS[row % SPREADS.length]!;
  let drawn = 0;
  let block: DataView = new DataView(new ArrayBuffer(32));
  const word = (): number => {
    if (drawn % 8 === 0) {
      block = new DataView(keccak(concat([key, bigEndian(drawn / 8, 4)])).buffer);
    }
    return block.getUint32(4 * (drawn++ % 8));
  };
  /** From -limit to limit. */
  const signed = (limit: number): number => {
    const v = word();
    const uniform = (v % (2 * limit + 1)) - limit;
    if (spread === 'uniform') return uniform;
    if (spread === 'small') return Math.floor(uniform / 2 ** (v % 31));
    const sign = v >= 2 ** 31 ? -1 : 1;
    return spread === 'largest' ? sign * limit : sign * edge(v, limit);
  };
  const between = (low: number, high: number): number => low + (word() % (high - low + 1));
  return { word, signed, between };
}

export type Stream = ReturnType<typeof drawStream>;

/** 0, the limit, the limit less one, half of it and one more, or a power of two (less one for odd choices). */
function edge(v: number, limit: number): number {
  const choice = v % 8;
  if (choice === 0) return 0;
  if (choice === 1) return limit;
  if (choice === 2) return limit - 1;
  if (choice === 3) return Math.floor(limit / 2) + 1;
  return Math.min(limit, 2 ** (Math.floor(v / 8) % 32) - (choice % 2));
}
