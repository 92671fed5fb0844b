import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomEngineModel } from '../testing/random-model.js';
import { referenceBackend } from './session.js';

const model = randomEngineModel({ seed: 11 });
const { vocabularySize } = model.config;
const TOKENS = Array.from({ length: 20 }, (_, i) => (i * 53 + 7) % vocabularySize);

const allLogits = (tokens: readonly number[]): Int32Array =>
  referenceBackend.createSession(model).forward(tokens, { logits: 'all' });

describe('forward', () => {
  const whole = allLogits(TOKENS);

  it('gives the same bits for any split into chunks (seed 5)', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (sizes) => {
        const session = referenceBackend.createSession(model);
        const rows: number[] = [];
        for (let at = 0, i = 0; at < TOKENS.length; i++) {
          const size = sizes[i % sizes.length]!;
          rows.push(...session.forward(TOKENS.slice(at, at + size), { logits: 'all' }));
          at += size;
        }
        expect(rows).toEqual(Array.from(whole));
      }),
      { numRuns: 5, seed: 5 },
    );
  });

  it('gives, token by token, the rows of one prefill', () => {
    const session = referenceBackend.createSession(model);
    TOKENS.forEach((token, i) => {
      const row = session.forward([token]);
      expect(row).toEqual(whole.slice(i * vocabularySize, (i + 1) * vocabularySize));
    });
  });

  it('returns one row by default, none on request, and an empty answer for no tokens', () => {
    const session = referenceBackend.createSession(model);
    expect(session.forward(TOKENS.slice(0, 3), { logits: 'none' }).length).toBe(0);
    expect(session.forward([]).length).toBe(0);
    expect(session.forward(TOKENS.slice(3))).toEqual(whole.slice(-vocabularySize));
    expect(session.length).toBe(TOKENS.length);
  });

  it('does not see later tokens', () => {
    const changed = allLogits([...TOKENS.slice(0, 10), 1, 2, 3]);
    expect(changed.slice(0, 10 * vocabularySize)).toEqual(whole.slice(0, 10 * vocabularySize));
  });

  it('sees a change of the first token at the last position', () => {
    const changed = allLogits([(TOKENS[0]! + 1) % vocabularySize, ...TOKENS.slice(1)]);
    expect(changed.slice(-vocabularySize)).not.toEqual(whole.slice(-vocabularySize));
  });
});

describe('truncate', () => {
  it('followed by the same tokens gives the same bits', () => {
    const session = referenceBackend.createSession(model);
    const first = session.forward(TOKENS).slice();
    session.truncate(8);
    session.forward([3, 1, 4, 1, 5]);
    session.truncate(8);
    expect(session.length).toBe(8);
    expect(session.forward(TOKENS.slice(8))).toEqual(first);
  });

  it('refuses lengths that the session never had', () => {
    const session = referenceBackend.createSession(model);
    session.forward([1, 2]);
    for (const length of [3, -1, 0.5, Number.NaN]) {
      expect(() => session.truncate(length)).toThrow(
        expect.objectContaining({ code: 'length_invalid' }),
      );
    }
  });
});

describe('limits', () => {
  it('refuses ids outside the vocabulary before computing anything', () => {
    const session = referenceBackend.createSession(model);
    for (const id of [-1, vocabularySize, 1.5, Number.NaN]) {
      expect(() => session.forward([1, id])).toThrow(
        expect.objectContaining({ code: 'token_invalid' }),
      );
    }
    expect(session.length).toBe(0);
  });

  it('refuses more positions than there is room for', () => {
    const session = referenceBackend.createSession(model, { contextLength: 4 });
    session.forward([1, 2, 3]);
    expect(() => session.forward([4, 5])).toThrow(
      expect.objectContaining({ code: 'context_too_long' }),
    );
    expect(session.forward([4]).length).toBe(vocabularySize);
    expect(() => referenceBackend.createSession(model, { contextLength: 257 })).toThrow(
      expect.objectContaining({ code: 'context_too_long' }),
    );
  });
});

describe('saturationCount', () => {
  it('is 0 for a healthy model and counts every clamped residual element', () => {
    const healthy = referenceBackend.createSession(model);
    healthy.forward(TOKENS);
    expect(healthy.saturationCount).toBe(0);
    const loud = { ...model.matrices.get('blk.0.attn_output.weight')!, exponent: 0 };
    const matrices = new Map(model.matrices).set('blk.0.attn_output.weight', loud);
    const session = referenceBackend.createSession({ ...model, matrices });
    session.forward(TOKENS.slice(0, 1));
    expect(session.saturationCount).toBeGreaterThan(0);
  });
});
