import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chachaBlock, chachaKey } from './chacha.js';

const hex = (block: Uint32Array): string => Buffer.from(block.buffer).toString('hex');

describe('chachaBlock', () => {
  it('is the key stream of 8 rounds for key 0 (draft-strombergson-chacha-test-vectors, TC1)', () => {
    const block = chachaBlock(chachaKey(new Uint8Array(32)), 0, { nonce: [0, 0, 0] });
    expect(hex(block)).toBe(
      '3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e' +
        '984ce172b9216f419f445367456d5619314a42a3da86b001387bfdb80e0cfe42',
    );
  });

  it('with 20 rounds is the ChaCha20 of OpenSSL (seed 3)', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.nat(2 ** 31),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        (seed, counter, nonceBytes) => {
          const iv = Buffer.alloc(16);
          iv.writeUInt32LE(counter, 0);
          iv.set(nonceBytes, 4);
          const words = new DataView(nonceBytes.slice().buffer);
          const nonce = [0, 4, 8].map((at) => words.getUint32(at, true));
          const stream = createCipheriv('chacha20', seed, iv).update(Buffer.alloc(64));
          const block = chachaBlock(chachaKey(seed), counter, {
            nonce: nonce as [number, number, number],
            rounds: 20,
          });
          expect(hex(block)).toBe(stream.toString('hex'));
        },
      ),
      { numRuns: 50, seed: 3 },
    );
  });
});
