import { describe, expect, it } from 'vitest';
import type { Backend } from '../backend.js';
import type { EngineModel } from '../engine-model.js';
import { referenceBackend } from '../reference/session.js';
import { TINY_CONFIG } from '../testing/random-model.js';
import {
  assertFit,
  fingerprint,
  type SelfTestResult,
  selfTest,
  selfTestLogits,
} from './self-test.js';
import { byBytes, FLAWED_BACKENDS } from './testing/flawed-matmul.js';
import { createWasmBackend } from './wasm-backend.js';

type Refusal = Extract<SelfTestResult, { status: 'refused' }>;

/** A backend whose logits differ in one bit of one value. */
const flawed: Backend = {
  name: 'flawed',
  createSession(model, options) {
    const session = referenceBackend.createSession(model, options);
    const forward = session.forward.bind(session);
    session.forward = (tokens, forwardOptions) => {
      const logits = forward(tokens, forwardOptions);
      if (session.length === 80) logits[17]! ^= 1;
      return logits;
    };
    return session;
  },
  forwardBatch: referenceBackend.forwardBatch,
};

describe('selfTest', () => {
  it('accepts the reference, whose answer is the known one', () => {
    expect(selfTest(referenceBackend)).toEqual({ status: 'ok' });
  });

  it('accepts the WebAssembly kernels', () => {
    expect(selfTest(createWasmBackend())).toEqual({ status: 'ok' });
  });

  it('gives the same logits in company', () => {
    const backend = createWasmBackend();
    const alone = selfTestLogits(backend);
    expect(selfTestLogits(backend, undefined, 7)).toEqual(alone);
  });

  it.each(FLAWED_BACKENDS)('refuses $name', (backend) => {
    const { status, found } = selfTest(backend) as Refusal;
    expect(status).toBe('refused');
    // It computes to the end: other bits are what it is refused for.
    expect(found).toMatch(/^[0-9a-f]{16}$/);
  });

  it('accepts a way to multiply that none of them has but for its flaw', () => {
    expect(selfTest(byBytes)).toEqual({ status: 'ok' });
  });

  it('refuses one wrong bit', () => {
    expect(selfTest(flawed)).toMatchObject({ status: 'refused' });
  });

  it('refuses a backend that fails', () => {
    const failing: Backend = {
      name: 'failing',
      createSession() {
        throw new Error('no memory');
      },
      forwardBatch: referenceBackend.forwardBatch,
    };
    expect(selfTest(failing)).toMatchObject({ status: 'refused', found: 'failed: no memory' });
  });
});

describe('assertFit', () => {
  it('throws for a backend with other bits, and forgets its own model', () => {
    const unloaded: EngineModel[] = [];
    const unload = (model: EngineModel): void => void unloaded.push(model);
    expect(() => assertFit({ ...FLAWED_BACKENDS[0]!, unload })).toThrow(
      expect.objectContaining({ code: 'backend_unfit' }),
    );
    expect(() => assertFit({ ...referenceBackend, unload })).not.toThrow();
    // One for the fault, two for the reference.
    expect(unloaded.map(({ config }) => config)).toEqual([TINY_CONFIG, TINY_CONFIG, TINY_CONFIG]);
  });
});

describe('fingerprint', () => {
  it('depends on every value and on their order', () => {
    const prints = [[], [0], [1], [0, 1], [1, 0], [0, 0]].map((values) =>
      fingerprint(Int32Array.from(values)),
    );
    expect(new Set(prints).size).toBe(prints.length);
  });
});
