/**
 * Matrices that stay in their file: each is brought into the engine's layout when it is asked for, and only the last
 * one is kept. Whoever needs a model's weights once, such as the kernels' memory or a Merkle root, walks through a file
 * of any size; whoever comes back again and again, such as the reference, holds some of them by {@link recentMatrix}.
 */
import type { W8Matrix } from './weights.js';

/** Bytes of matrices that {@link recentMatrix} holds per model. */
const RECENT_BYTES_MAX = 512 * 2 ** 20;

/** A map by tensor name that imports on `get`. */
export class StreamedMatrices implements ReadonlyMap<string, W8Matrix> {
  readonly #names: ReadonlySet<string>;
  readonly #read: (name: string) => W8Matrix;
  #last: { readonly name: string; readonly matrix: W8Matrix } | undefined;

  constructor(names: Iterable<string>, read: (name: string) => W8Matrix) {
    this.#names = new Set(names);
    this.#read = read;
  }

  get size(): number {
    return this.#names.size;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  get(name: string): W8Matrix | undefined {
    if (!this.#names.has(name)) return undefined;
    if (this.#last?.name === name) return this.#last.matrix;
    // Let go before the next one is made, so that two are never in memory.
    this.#last = undefined;
    this.#last = { name, matrix: this.#read(name) };
    return this.#last.matrix;
  }

  keys(): MapIterator<string> {
    return this.#names.keys();
  }

  *entries(): MapIterator<[string, W8Matrix]> {
    for (const name of this.#names) yield [name, this.get(name)!];
  }

  *values(): MapIterator<W8Matrix> {
    for (const name of this.#names) yield this.get(name)!;
  }

  [Symbol.iterator](): MapIterator<[string, W8Matrix]> {
    return this.entries();
  }

  forEach(use: (matrix: W8Matrix, name: string, map: ReadonlyMap<string, W8Matrix>) => void): void {
    for (const [name, matrix] of this) use(matrix, name, this);
  }
}

const recent = new WeakMap<StreamedMatrices, Map<string, W8Matrix>>();

/** A matrix of the map, held for a while if it would have to be imported again. */
export function recentMatrix(matrices: ReadonlyMap<string, W8Matrix>, name: string): W8Matrix {
  if (!(matrices instanceof StreamedMatrices)) return matrices.get(name)!;
  const held = recent.get(matrices) ?? new Map<string, W8Matrix>();
  recent.set(matrices, held);
  const matrix = held.get(name) ?? matrices.get(name)!;
  held.delete(name);
  held.set(name, matrix);
  for (const [other] of held) {
    if (byteCount(held) <= RECENT_BYTES_MAX || other === name) break;
    held.delete(other);
  }
  return matrix;
}

function byteCount(held: ReadonlyMap<string, W8Matrix>): number {
  let sum = 0;
  for (const { data } of held.values()) sum += data.length;
  return sum;
}
