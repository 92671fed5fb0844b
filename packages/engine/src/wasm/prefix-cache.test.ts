import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Session } from '../backend.js';
import { EngineError } from '../engine-error.js';
import { referenceBackend } from '../reference/session.js';
import { mulberry32, randomEngineModel } from '../testing/random-model.js';
import { bytesPerToken, PAGE_POSITIONS, type PagePool } from './pages.js';
import { createPrefixCache } from './prefix-cache.js';
import { fingerprint } from './self-test.js';
import { createWasmBackend } from './wasm-backend.js';

const model = randomEngineModel({ seed: 41 });
const { vocabularySize } = model.config;
const pageBytes = bytesPerToken(model.config) * PAGE_POSITIONS;

/** Sequences that share beginnings: token `i` of a trunk, then of the branch from `fork` on. */
function tokensOf(branch: number, fork: number, count: number): number[] {
  const [trunk, other] = [mulberry32(1), mulberry32(100 + branch)];
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = [trunk() % vocabularySize, other() % vocabularySize];
    return i < fork ? a : b;
  });
}

/** Fingerprints of the last row alone, by whole sequence. */
const ALONE = new Map<string, string>();

function aloneOf(tokens: readonly number[]): string {
  const key = tokens.join();
  const known =
    ALONE.get(key) ?? fingerprint(createWasmBackend().createSession(model).forward(tokens));
  ALONE.set(key, known);
  return known;
}

describe('Session.reuse of the WebAssembly backend', () => {
  const sequence = fc.record({
    branch: fc.nat(2),
    fork: fc.constantFrom(0, 3, 63, 64, 100, 128),
    count: fc.constantFrom(1, 2, 63, 64, 65, 128, 140, 200),
    chunk: fc.constantFrom(1, 17, 64, 200),
    /** How many of the open sessions are disposed of before this one begins, oldest first. */
    ends: fc.nat(3),
    cutTo: fc.option(fc.nat(199)),
    reserves: fc.boolean(),
  });

  it('gives the bits of computing, over any budget, truncation and company', () => {
    const budget = fc.constantFrom(0, 2 * pageBytes, 100 * pageBytes);
    fc.assert(
      fc.property(fc.array(sequence, { minLength: 2, maxLength: 12 }), budget, (all, bytes) => {
        const backend = createWasmBackend({ prefixCacheBytes: bytes });
        const open: Session[] = [];
        for (const { branch, fork, count, chunk, ends, cutTo, reserves } of all) {
          for (const session of open.splice(0, ends)) session.dispose();
          const tokens = tokensOf(branch, fork, count);
          const session = backend.createSession(model);
          if (reserves) session.reserve();
          const known = session.reuse(tokens.slice(0, -1));
          expect(session.length).toBe(known);
          expect(fingerprint(finish(session, tokens, chunk))).toBe(aloneOf(tokens));
          if (cutTo !== null && cutTo < count - 1) {
            session.truncate(cutTo);
            const other = [...tokens.slice(0, cutTo), ...tokensOf(7, 0, 5)];
            expect(fingerprint(finish(session, other, chunk))).toBe(aloneOf(other));
          }
          open.push(session);
        }
      }),
      { numRuns: 30, seed: 20261126 },
    );
  });

  /** Appends what a session lacks, chunk by chunk; the last row. */
  function finish(session: Session, tokens: readonly number[], chunk: number): Int32Array {
    let logits: Int32Array = new Int32Array();
    while (session.length < tokens.length) {
      logits = session.forward(tokens.slice(session.length, session.length + chunk));
    }
    return logits;
  }

  it('gives the bits of the reference', () => {
    const backend = createWasmBackend({ prefixCacheBytes: 100 * pageBytes });
    backend.createSession(model).forward(tokensOf(0, 100, 140));
    const tokens = tokensOf(1, 100, 130);
    const session = backend.createSession(model);
    expect(session.reuse(tokens)).toBe(100);
    const wanted = referenceBackend.createSession(model).forward(tokens);
    expect(session.forward(tokens.slice(100))).toEqual(wanted);
  });

  it('finds running sessions, and ended ones within the budget', () => {
    const backend = createWasmBackend({ prefixCacheBytes: 2 * pageBytes });
    const probe = (tokens: readonly number[]): number => {
      const session = backend.createSession(model);
      const known = session.reuse(tokens);
      session.dispose();
      return known;
    };
    const first = tokensOf(0, 0, 200);
    const session = backend.createSession(model);
    session.forward(first);
    expect(probe(first)).toBe(192);
    session.dispose();
    // Four pages were used; the last ones of the sequence go first, since nothing stands on them.
    expect(probe(first)).toBe(128);
    const second = tokensOf(1, 0, 70);
    const other = backend.createSession(model);
    other.forward(second);
    other.dispose();
    expect(probe(second)).toBe(70);
    expect(probe(first)).toBe(0);
  });

  it('sets memory aside once, and gives back what it does not need', () => {
    // Nothing idle is kept: what the cache keeps of a sequence that was cut comes on top of what is set aside.
    const backend = createWasmBackend({ prefixCacheBytes: 0 });
    const tokens = tokensOf(0, 0, 256);
    const first = backend.createSession(model);
    first.forward(tokens.slice(0, 130));
    const before = backend.memoryBytes(model);
    const session = backend.createSession(model);
    session.reserve();
    const reserved = backend.memoryBytes(model);
    expect(reserved - before).toBeGreaterThan(3 * pageBytes - 65_536);
    expect(session.reuse(tokens)).toBe(128);
    session.reserve();
    session.forward(tokens.slice(128));
    const others = [0, 1].map(() => backend.createSession(model, { contextLength: 64 }));
    for (const other of others) other.reserve();
    // What is cut off is free again, and nobody else has taken it.
    session.truncate(129);
    session.forward(tokens.slice(0, 100));
    expect(backend.memoryBytes(model)).toBe(reserved);
  });

  it('keeps nothing of ended sessions without a budget', () => {
    const backend = createWasmBackend();
    const session = backend.createSession(model);
    session.forward(tokensOf(0, 0, 200));
    session.dispose();
    expect(backend.createSession(model).reuse(tokensOf(0, 0, 200))).toBe(0);
  });

  it('reuses nothing in a session that has begun, nor more than it has room for', () => {
    const backend = createWasmBackend({ prefixCacheBytes: 100 * pageBytes });
    const tokens = tokensOf(0, 0, 200);
    backend.createSession(model).forward(tokens);
    const begun = backend.createSession(model);
    begun.forward(tokens.slice(0, 1));
    expect(begun.reuse(tokens)).toBe(0);
    expect(backend.createSession(model, { contextLength: 70 }).reuse(tokens)).toBe(70);
  });
});

describe('createPrefixCache', () => {
  /** Pages by number, at most so many. */
  function poolOf(pageCount: number): PagePool & { readonly free: number[] } {
    const free = Array.from({ length: pageCount }, (_, i) => i);
    return {
      free,
      take() {
        const page = free.pop();
        if (page !== undefined) return page;
        const text = { message: 'full', remedy: '', fault: 'platform' } as const;
        throw new EngineError({ code: 'memory_exhausted', ...text });
      },
      give: (page) => void free.push(page),
      copy: () => {},
    };
  }
  const tokens = (first: number): number[] => [first, ...new Array<number>(63).fill(0)];

  it('drops idle blocks, oldest first, when memory is exhausted', () => {
    const pool = poolOf(3);
    const cache = createPrefixCache(pool, { pageBytes: 1, budgetBytes: 100 });
    const blocks = [1, 2, 3].map((first) =>
      cache.offer(undefined, tokens(first), cache.takePage()),
    );
    cache.release(blocks[1]!);
    cache.release(blocks[0]!);
    expect(cache.takePage()).toBe(blocks[1]!.page);
    expect(cache.find(tokens(2))).toMatchObject({ length: 0 });
    expect(cache.find(tokens(1))).toMatchObject({ length: 64 });
    expect(() => cache.takePage()).toThrow(expect.objectContaining({ code: 'memory_exhausted' }));
  });

  it('never drops a block that another stands on or somebody reads', () => {
    const pool = poolOf(3);
    const cache = createPrefixCache(pool, { pageBytes: 1, budgetBytes: 0 });
    const root = cache.offer(undefined, tokens(1), cache.takePage());
    const leaf = cache.offer(root, tokens(2), cache.takePage());
    cache.release(root);
    expect([pool.free.length, cache.idleBytes()]).toEqual([1, 1]);
    cache.release(leaf);
    expect([pool.free.length, cache.idleBytes()]).toEqual([3, 0]);
  });

  it('keeps one page of two with the same content', () => {
    const pool = poolOf(2);
    const cache = createPrefixCache(pool, { pageBytes: 1, budgetBytes: 0 });
    const [a, b] = [cache.takePage(), cache.takePage()];
    expect(cache.offer(undefined, tokens(1), a).page).toBe(a);
    expect(cache.offer(undefined, tokens(1), b).page).toBe(a);
    expect(pool.free).toEqual([b]);
  });
});
