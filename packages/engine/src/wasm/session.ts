/**
 * One sequence on a machine: its tokens and its pages. The first pages may be blocks of the prefix cache, which other
 * sessions read too; a page is copied before a session writes to one. The arithmetic is in the module, the layout in
 * `plan.ts`.
 */
import {
  checkAppend,
  checkTruncate,
  type ForwardOptions,
  type HiddenRows,
  type Session,
  type SessionOptions,
  sessionContextLength,
  wantedRows,
} from '../backend.js';
import { EngineError } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import { appendForHidden, appendForLogits } from './batch.js';
import type { Machine } from './machine.js';
import { PAGE_POSITIONS } from './pages.js';
import type { Block } from './prefix-cache.js';

export class WasmSession implements Session {
  readonly contextLength: number;
  readonly machine: Machine;
  readonly vocabularySize: number;
  saturationCount = 0;
  /** The pages of `#blocks`, then the session's own. */
  #pages: number[] = [];
  #blocks: Block[] = [];
  /** Pages set aside for positions to come. */
  readonly #reserved: number[] = [];
  #reserves = false;
  #tokens: number[] = [];
  #disposed = false;

  constructor(machine: Machine, model: EngineModel, options: SessionOptions | undefined) {
    this.contextLength = sessionContextLength(model, options);
    this.machine = machine;
    this.vocabularySize = model.config.vocabularySize;
  }

  get length(): number {
    return this.#tokens.length;
  }

  get pages(): readonly number[] {
    return this.#pages;
  }

  forward(tokens: ArrayLike<number>, options: ForwardOptions = {}): Int32Array {
    this.assertOpen();
    checkAppend(this, tokens);
    const wantedCount = wantedRows(options.logits, tokens.length);
    const entry = { session: this, tokens, wantedCount };
    return appendForLogits(this.machine, [entry], this.vocabularySize)[0]!;
  }

  forwardHidden(tokens: ArrayLike<number>, rows: 'last' | 'all' = 'last'): HiddenRows {
    this.assertOpen();
    checkAppend(this, tokens);
    const wantedCount = wantedRows(rows, tokens.length);
    return appendForHidden(this.machine, { session: this, tokens, wantedCount });
  }

  reuse(tokens: ArrayLike<number>): number {
    this.assertOpen();
    if (this.length > 0) return 0;
    const known = Array.from(tokens).slice(0, this.contextLength);
    const { blocks, length } = this.machine.pages.find(known);
    this.#blocks = blocks;
    this.#pages = blocks.map(({ page }) => page);
    this.#tokens = known.slice(0, length);
    // The block that is not full will be copied to a page of its own.
    const spared = Math.floor(length / PAGE_POSITIONS);
    for (const page of this.#reserved.splice(0, spared)) this.machine.pages.givePage(page);
    return length;
  }

  reserve(): void {
    this.assertOpen();
    const { pages } = this.machine;
    const missing = Math.ceil(this.contextLength / PAGE_POSITIONS) - this.#ownedCount();
    const taken: number[] = [];
    try {
      while (taken.length < missing) taken.push(pages.takePage());
    } catch (error) {
      for (const page of taken) pages.givePage(page);
      throw error;
    }
    this.#reserved.push(...taken);
    this.#reserves = true;
  }

  truncate(length: number): void {
    checkTruncate(this, length);
    this.#tokens.length = length;
    this.#keepPages(Math.ceil(length / PAGE_POSITIONS));
  }

  dispose(): void {
    this.#disposed = true;
    this.#reserves = false;
    this.#share(this.length);
    this.#keepPages(0);
    for (const page of this.#reserved.splice(0)) this.machine.pages.givePage(page);
    this.#tokens = [];
  }

  assertOpen(): void {
    if (this.#disposed) throw sessionDisposed();
  }

  /** Takes the pages that `count` more positions need, and makes the one in which they begin its own. */
  makeRoom(count: number): void {
    if (count === 0) return;
    const { pages } = this.machine;
    const { length } = this;
    if (this.#blocks.length * PAGE_POSITIONS > length) {
      const last = this.#blocks.length - 1;
      const page = this.#takePage();
      pages.copyPage(this.#pages[last]!, page);
      this.#pages[last] = page;
      pages.release(this.#blocks.pop()!);
    }
    while (this.#pages.length * PAGE_POSITIONS < length + count) this.#pages.push(this.#takePage());
  }

  /** Counts computed positions in. */
  advance(tokens: readonly number[], clamped: BigInt64Array): void {
    for (const token of tokens) this.#tokens.push(token);
    this.#share(this.length - (this.length % PAGE_POSITIONS));
    for (const count of clamped) this.saturationCount += Number(count);
  }

  #takePage(): number {
    return this.#reserved.pop() ?? this.machine.pages.takePage();
  }

  /** Pages that hold positions for good, or will: a block that is not full must be copied before it is written to. */
  #ownedCount(): number {
    const shared = Math.min(this.#blocks.length, Math.floor(this.length / PAGE_POSITIONS));
    return shared + Math.max(0, this.#pages.length - this.#blocks.length) + this.#reserved.length;
  }

  /** Lets others read the positions up to `end`, a whole page or the last one. */
  #share(end: number): void {
    for (let from = this.#blocks.length * PAGE_POSITIONS; from < end; from += PAGE_POSITIONS) {
      const tokens = this.#tokens.slice(from, Math.min(end, from + PAGE_POSITIONS));
      const index = this.#blocks.length;
      const block = this.machine.pages.offer(this.#blocks.at(-1), tokens, this.#pages[index]!);
      this.#blocks.push(block);
      this.#pages[index] = block.page;
    }
  }

  /** Lets go of all but the first pages; the last block first, so that it is also the first to be dropped. */
  #keepPages(count: number): void {
    const { pages } = this.machine;
    const own = this.#pages.splice(Math.max(count, this.#blocks.length));
    if (this.#reserves) this.#reserved.push(...own);
    else for (const page of own) pages.givePage(page);
    for (const block of this.#blocks.splice(count).reverse()) pages.release(block);
    this.#pages.length = Math.min(this.#pages.length, count);
  }
}

const sessionDisposed = (): EngineError =>
  new EngineError({
    code: 'session_disposed',
    message: 'The session was disposed of.',
    fault: 'user',
    remedy: 'Create a new session.',
  });
