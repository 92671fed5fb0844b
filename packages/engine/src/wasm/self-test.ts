/**
 * A known-answer test for backends: small random models and a prompt whose logits' fingerprints are written down here.
 * A backend is trusted only after it gave these answers on the machine where it runs. They are the reference's;
 * `self-test.test.ts` recomputes them, and shows which faults they find.
 */
import type { Backend } from '../backend.js';
import { EngineError } from '../engine-error.js';
import type { EngineModel } from '../engine-model.js';
import { mulberry32, randomEngineModel, TINY_CONFIG } from '../testing/random-model.js';
import type { WasmBackend } from './wasm-backend.js';

export type SelfTestResult =
  | { readonly status: 'ok' }
  | { readonly status: 'refused'; readonly expected: string; readonly found: string };

/**
 * What is computed, and the fingerprints of {@link selfTestLogits} under the reference. Weights of the first model are
 * like trained ones; the second has sums beyond 2^24, where floats of 32 bits begin to lose integers, in every block.
 */
const CASES = [
  { extreme: false, answer: '13428c0173b584a1' },
  { extreme: true, answer: '3c31b4973beb8230' },
] as const;

/** Enough tokens for a second page of keys and values, a full chunk, and a tail. */
const PROMPT_LENGTH = 81;

type Testable = Backend & Partial<Pick<WasmBackend, 'unload'>>;

/** Compares a backend with the known answers; some milliseconds. A failure of any kind refuses it. */
export function selfTest(backend: Testable): SelfTestResult {
  for (const { extreme, answer: expected } of CASES) {
    const model = selfTestModel(extreme);
    const found = attempt(() => fingerprint(selfTestLogits(backend, model)));
    backend.unload?.(model);
    if (found !== expected) return { status: 'refused', expected, found };
  }
  return { status: 'ok' };
}

/** Throws `backend_unfit` unless the backend gives the known answers here. Called before committed work begins. */
export function assertFit(backend: Testable): void {
  const result = selfTest(backend);
  if (result.status === 'ok') return;
  throw new EngineError({
    code: 'backend_unfit',
    message: `On this machine the engine gives other bits than it should (${backend.name}).`,
    fault: 'platform',
    value: result.found,
    remedy: 'Neither serve nor verify with it. Try another version of Node.js, or another machine.',
  });
}

export const selfTestModel = (extreme = false): EngineModel =>
  randomEngineModel({ seed: 20_261_123, tied: false, extreme });

/**
 * Logits of every position of the test prompt: most in one chunk, the rest token by token; each in one batch with so
 * many sessions of company, which change nothing.
 */
export function selfTestLogits(backend: Backend, model = selfTestModel(), company = 0): Int32Array {
  const next = mulberry32(1);
  const tokens = Array.from({ length: PROMPT_LENGTH }, () => next() % TINY_CONFIG.vocabularySize);
  const session = backend.createSession(model);
  const decodeFrom = PROMPT_LENGTH - 4;
  const others = Array.from({ length: company }, () => backend.createSession(model));
  const append = (part: readonly number[]): Int32Array => {
    const parts = others.map((other, i) => ({ session: other, tokens: tokens.slice(i, i + 3) }));
    return backend.forwardBatch([...parts, { session, tokens: part, logits: 'all' }]).at(-1)!;
  };
  const rows = [...append(tokens.slice(0, decodeFrom))];
  for (const token of tokens.slice(decodeFrom)) rows.push(...append([token]));
  for (const each of [session, ...others]) each.dispose();
  return Int32Array.from(rows);
}

/**
 * 64 bits of a list of integers, as 16 hex digits: two multiplicative hashes (Knuth, TAOCP 6.4) side by side. It finds
 * accidents, not forgers.
 */
export function fingerprint(values: Int32Array): string {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (const value of values) {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul((b << 5) ^ (b >>> 27) ^ value, 0x9e3779b1);
    a ^= a >>> 15;
  }
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function attempt(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return `failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}
