import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backend, BatchPart, LogitsChoice, Session } from '../backend.js';
import { referenceBackend } from '../reference/session.js';
import { mulberry32, randomEngineModel } from '../testing/random-model.js';
import { fingerprint } from './self-test.js';
import { createWasmBackend } from './wasm-backend.js';

const model = randomEngineModel({ seed: 21 });
const { vocabularySize, width } = model.config;
const wasm = createWasmBackend();

const tokensOf = (seed: number, count: number): number[] => {
  const next = mulberry32(seed);
  return Array.from({ length: count }, () => next() % vocabularySize);
};

/** Logits of every position of a sequence on its own, under the reference; one pass, then kept. */
function aloneOf(seed: number, count: number): Int32Array {
  const known = ALONE.get(seed);
  if (known !== undefined && known.length >= count * vocabularySize) return known;
  const wanted = referenceBackend
    .createSession(model)
    .forward(tokensOf(seed, count), { logits: 'all' });
  ALONE.set(seed, wanted);
  return wanted;
}

/** Positions of a sequence at most: two pages. */
const LENGTH = 110;

const ALONE = new Map<number, Int32Array>();

const rowsOf = (seed: number, from: number, to: number): Int32Array =>
  aloneOf(seed, LENGTH).subarray(from * vocabularySize, to * vocabularySize);

/** A sequence on its way through a batch. */
type Request = { readonly seed: number; readonly session: Session; at: number };

const join = (backend: Backend, seed: number): Request => ({
  seed,
  session: backend.createSession(model),
  at: 0,
});

/** The next `count` tokens of a request, and the logits that it must get for them. */
function partOf(request: Request, count: number, logits: LogitsChoice) {
  const { seed, session, at } = request;
  const tokens = tokensOf(seed, LENGTH).slice(at, at + count);
  const end = at + tokens.length;
  const wantedCount =
    typeof logits === 'number' ? logits : { all: count, last: 1, none: 0 }[logits];
  const from = Math.max(at, end - wantedCount);
  request.at = end;
  return { part: { session, tokens, logits }, wanted: rowsOf(seed, from, end) };
}

describe.each([
  ['wasm', wasm],
  ['reference', referenceBackend],
] as const)('forwardBatch of %s', (_, backend) => {
  it('gives every session the bits that it gets alone, whoever comes and goes', () => {
    const count = fc.oneof(fc.constantFrom(0, 1, 1, 1, 17), fc.integer({ min: 0, max: 90 }));
    const choice = fc.oneof(
      fc.constantFrom<LogitsChoice>('last', 'all', 'none'),
      fc.integer({ min: 0, max: 40 }),
    );
    const turn = fc.record({ request: fc.nat(4), count, choice });
    const runs = backend === wasm ? 30 : 2;
    fc.assert(
      fc.property(fc.array(fc.array(turn, { maxLength: 8 }), { maxLength: 6 }), (steps) => {
        const requests = new Map<number, Request>();
        for (const step of steps) {
          const turns = new Map(step.map((each) => [each.request, each]));
          const batch = [...turns.values()].map((each) => {
            const request = requests.get(each.request) ?? join(backend, each.request);
            requests.set(each.request, request);
            return partOf(request, Math.min(each.count, LENGTH - request.at), each.choice);
          });
          const found = backend.forwardBatch(batch.map(({ part }) => part));
          expect(found.map(fingerprint)).toEqual(batch.map(({ wanted }) => fingerprint(wanted)));
        }
        for (const { session } of requests.values()) session.dispose();
      }),
      { numRuns: runs, seed: 20261124 },
    );
  });

  it('refuses a session twice, and appends nothing if a part does not fit', () => {
    const [a, b] = [backend.createSession(model), backend.createSession(model)];
    const code = (parts: readonly BatchPart[]): string => {
      try {
        backend.forwardBatch(parts);
        return 'none';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(
      code([
        { session: a, tokens: [1] },
        { session: a, tokens: [1] },
      ]),
    ).toBe('batch_invalid');
    const unfit = { session: b, tokens: [vocabularySize] };
    expect(code([{ session: a, tokens: [1] }, unfit])).toBe('token_invalid');
    expect(a.length).toBe(0);
    expect(backend.forwardBatch([])).toEqual([]);
  });

  it('counts clamped elements session by session', () => {
    const loud = loudModel();
    const alone = [3, 4].map((seed) => {
      const session = referenceBackend.createSession(loud);
      session.forward(tokensOf(seed, 40));
      return session.saturationCount;
    });
    const sessions = [3, 4].map(() => backend.createSession(loud));
    const parts = sessions.map((session, i) => ({ session, tokens: tokensOf(3 + i, 40) }));
    backend.forwardBatch(parts);
    expect(sessions.map(({ saturationCount }) => saturationCount)).toEqual(alone);
    expect(alone[0]).not.toBe(alone[1]);
  });
});

function loudModel(): typeof model {
  const name = 'token_embd.weight';
  const table = model.matrices.get(name)!;
  const loud = { ...table, exponent: table.exponent + 17 };
  return { ...model, matrices: new Map([...model.matrices, [name, loud]]) };
}

describe('forwardBatch of wasm', () => {
  it('refuses sessions of different machines', () => {
    const mine = { session: wasm.createSession(model), tokens: [1] };
    for (const from of [referenceBackend, createWasmBackend()]) {
      const other = { session: from.createSession(model), tokens: [1] };
      expect(() => wasm.forwardBatch([mine, other])).toThrow(
        expect.objectContaining({ code: 'batch_invalid' }),
      );
    }
  });
});

describe('forwardHidden', () => {
  const tokens = tokensOf(30, 150);
  const wanted = referenceBackend.createSession(model).forwardHidden(tokens, 'all');

  it('gives the rows of the last norm, those that the logits come from', () => {
    expect(wanted.exponents).toHaveLength(150);
    expect(wanted.mantissas).toHaveLength(150 * width);
    const largest = Math.max(...wanted.mantissas.subarray(0, width).map(Math.abs));
    expect(largest).toBeGreaterThan(2 ** 13);
  });

  it.each([1, 7, 64, 150])('gives the same bits under wasm in chunks of %i', (chunk) => {
    const session = wasm.createSession(model);
    for (let from = 0; from < 150; from += chunk) {
      const count = Math.min(chunk, 150 - from);
      const found = session.forwardHidden(tokens.slice(from, from + count), 'all');
      expect(found.exponents).toEqual(wanted.exponents.slice(from, from + count));
      expect(found.mantissas).toEqual(wanted.mantissas.slice(from * width, (from + count) * width));
    }
    expect(session.length).toBe(150);
  });

  it('gives the last row by default and mixes with forward', () => {
    for (const backend of [wasm, referenceBackend]) {
      const session = backend.createSession(model);
      session.forward(tokens.slice(0, 20));
      const found = session.forwardHidden(tokens.slice(20, 70));
      expect(found.mantissas).toEqual(wanted.mantissas.slice(69 * width, 70 * width));
      expect(found.exponents).toEqual(wanted.exponents.slice(69, 70));
      const next = session.forward(tokensOf(30, 71).slice(70));
      expect(next).toEqual(rowsOf(30, 70, 71));
    }
  });
});
