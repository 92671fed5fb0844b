/**
 * Keys and values of sessions, in pages of 64 positions that hold every layer, recycled among the sessions of a model.
 * Who reads a page together with whom is in `prefix-cache.ts`. Nothing is cleared: a kernel never lets a position that
 * was not written reach a result.
 */
import type { ModelConfig } from '../model-config.js';
import type { Arena } from './memory.js';

/** Positions in a page; the module's PAGE_POSITIONS. */
export const PAGE_POSITIONS = 64;

/** Bytes of one exponent in a page. */
const EXPONENT_BYTES = 4;

/** Head sizes are padded with zeros to whole vectors of eight int16. */
export const paddedHead = (headSize: number): number => Math.ceil(headSize / 8) * 8;

/** Place of element `d` of the key at `slot` among the elements of its head in a page (assembly/heads.ts). */
export const keyIndex = (slot: number, d: number, padded: number): number =>
  (slot >> 4) * 16 * padded + (d >> 1) * 32 + (slot & 15) * 2 + (d & 1);

/** The same of a value. */
export const valueIndex = (slot: number, d: number): number =>
  (d >> 3) * 8 * PAGE_POSITIONS + (slot >> 1) * 16 + (d & 7) * 2 + (slot & 1);

/** Bytes of a head's sums: the scores of sixteen keys need as much room in the same place, before them. */
export const headSumsBytes = (padded: number): number => Math.max(160, 8 * padded);

/** Bytes of one kept tensor in a page. */
export const keptBytes = (heads: number, headSize: number): number =>
  PAGE_POSITIONS * heads * (2 * paddedHead(headSize) + EXPONENT_BYTES);

/** Bytes of keys and values that one position of one session takes, rounded up to whole pages only. */
export const bytesPerToken = (config: ModelConfig): number =>
  (2 * config.layerCount * keptBytes(config.kvHeadCount, config.headSize)) / PAGE_POSITIONS;

export type PagePool = {
  take(): number;
  give(page: number): void;
  copy(from: number, to: number): void;
};

export function createPagePool(arena: Arena, pageBytes: number): PagePool {
  const free: number[] = [];
  return {
    take: () => free.pop() ?? arena.reserve(pageBytes),
    give: (page) => free.push(page),
    copy: (from, to) => void arena.bytes().copyWithin(to, from, from + pageBytes),
  };
}
