import { describe, expect, it } from 'vitest';
import { keccak } from './hash.js';
import { fromHex, type Hex, toHex } from './hex.js';
import { traceKey, traceKeyHash } from './tokens.js';

const SALT: Hex = `0x${'5a'.repeat(32)}`;
const OTHER: Hex = `0x${'5b'.repeat(32)}`;

describe('traceKey', () => {
  it('is the hash of the salt and its label', () => {
    const label = [...'assay trace'].map((letter) => letter.charCodeAt(0));
    expect(traceKey(SALT)).toBe(toHex(keccak(Uint8Array.from([...fromHex(SALT), ...label]))));
    expect(traceKey(OTHER)).not.toBe(traceKey(SALT));
  });
});

describe('traceKeyHash', () => {
  it('is the hash of the key, so that showing the key proves it', () => {
    expect(traceKeyHash(SALT)).toBe(toHex(keccak(fromHex(traceKey(SALT)))));
  });
});
