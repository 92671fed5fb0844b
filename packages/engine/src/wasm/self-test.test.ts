import { describe, expect, it } from 'vitest';
import type { Backend } from '../backend.js';
import { referenceBackend } from '../reference/session.js';
import { fingerprint, selfTest, selfTestLogits } from './self-test.js';
import { createWasmBackend } from './wasm-backend.js';

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

describe('fingerprint', () => {
  it('depends on every value and on their order', () => {
    const prints = [[], [0], [1], [0, 1], [1, 0], [0, 0]].map((values) =>
      fingerprint(Int32Array.from(values)),
    );
    expect(new Set(prints).size).toBe(prints.length);
  });
});
