import { isSignedBy as isSignedBySlow } from '@assay/compute';
import { type Hex, keccak, toHex } from '@assay/protocol';
import fc from 'fast-check';
import { privateKeyToAccount } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import { createSigner, isSignedBy } from './signatures.js';

const word = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes): Hex => toHex(bytes));
const key: Hex = toHex(keccak(Uint8Array.of(5)));
const account = privateKeyToAccount(key);

describe('createSigner', () => {
  it('gives the signatures that viem gives', async () => {
    const signer = createSigner(key, account.address);
    await fc.assert(
      fc.asyncProperty(word, async (hash) => {
        expect(await signer.sign({ hash })).toBe(await account.sign({ hash }));
      }),
      { seed: 6, numRuns: 30 },
    );
  });
});

describe('isSignedBy', () => {
  it('agrees with the one in compute, on good, bent and random signatures', async () => {
    const bent = fc.tuple(word, fc.nat(64), fc.nat(255), fc.boolean());
    await fc.assert(
      fc.asyncProperty(bent, async ([hash, at, value, keep]) => {
        const signature = Buffer.from((await account.sign({ hash })).slice(2), 'hex');
        if (!keep) signature[at] = value;
        const given: Hex = `0x${signature.toString('hex')}`;
        const expected = await isSignedBySlow(account.address, hash, given);
        expect(isSignedBy(account.address, hash, given)).toBe(expected);
      }),
      { seed: 7, numRuns: 60 },
    );
    expect(isSignedBy(account.address, key, '0x')).toBe(false);
  });
});
