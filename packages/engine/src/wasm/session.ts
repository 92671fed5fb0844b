/** One sequence on a machine: its length and its pages. The arithmetic is in the module, the layout in `plan.ts`. */
import {
  checkAppend,
  checkTruncate,
  type ForwardOptions,
  type Session,
  type SessionOptions,
  sessionContextLength,
} from '../backend.js';
import { EngineError } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import { CHUNK_ROWS, type Machine } from './machine.js';
import { PAGE_POSITIONS } from './pages.js';

export function createWasmSession(
  machine: Machine,
  model: EngineModel,
  options: SessionOptions | undefined,
): Session {
  return new WasmSession(machine, model, options);
}

class WasmSession implements Session {
  readonly contextLength: number;
  saturationCount = 0;
  readonly #machine: Machine;
  readonly #vocabularySize: number;
  #pages: number[] = [];
  #length = 0;
  #disposed = false;

  constructor(machine: Machine, model: EngineModel, options: SessionOptions | undefined) {
    this.contextLength = sessionContextLength(model, options);
    this.#machine = machine;
    this.#vocabularySize = model.config.vocabularySize;
  }

  get length(): number {
    return this.#length;
  }

  forward(tokens: ArrayLike<number>, options: ForwardOptions = {}): Int32Array {
    if (this.#disposed) throw sessionDisposed();
    checkAppend(this, tokens, this.#vocabularySize);
    const count = tokens.length;
    const choice = options.logits ?? 'last';
    const wantedFrom = choice === 'all' ? 0 : choice === 'last' ? count - 1 : count;
    const chunkRows = choice === 'all' ? this.#machine.logitRows : CHUNK_ROWS;
    const result = new Int32Array((count - Math.max(0, wantedFrom)) * this.#vocabularySize);
    let filled = 0;
    for (let from = 0; from < count; from += chunkRows) {
      const chunk = Array.prototype.slice.call(tokens, from, from + chunkRows) as number[];
      const wanted = [...chunk.keys()].filter((row) => from + row >= wantedFrom);
      const logits = this.#append(chunk, wanted);
      result.set(logits, filled);
      filled += logits.length;
    }
    return result;
  }

  truncate(length: number): void {
    checkTruncate(this, length);
    this.#length = length;
    this.#keepPages(Math.ceil(length / PAGE_POSITIONS));
  }

  dispose(): void {
    this.#disposed = true;
    this.#keepPages(0);
    this.#length = 0;
  }

  /** Computes a chunk; if it fails, the session is as it was. */
  #append(tokens: readonly number[], wanted: readonly number[]): Int32Array {
    const end = this.#length + tokens.length;
    while (this.#pages.length * PAGE_POSITIONS < end) this.#pages.push(this.#machine.pages.take());
    const { logits, saturationCount } = this.#machine.run({
      tokens,
      position: this.#length,
      pages: this.#pages,
      wanted,
    });
    this.#length = end;
    this.saturationCount += saturationCount;
    return logits;
  }

  #keepPages(count: number): void {
    for (const page of this.#pages.splice(count)) this.#machine.pages.give(page);
  }
}

const sessionDisposed = (): EngineError =>
  new EngineError({
    code: 'session_disposed',
    message: 'The session was disposed of.',
    fault: 'user',
    remedy: 'Create a new session.',
  });
