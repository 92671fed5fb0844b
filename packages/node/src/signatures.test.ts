/** Both curves against viem: the same signatures, the same judgement of good, bent and random ones. */
import { isSignedBy as isSignedBySlow } from '@assay/compute';
import { fromHex, type Hex, keccak, toHex } from '@assay/protocol';
import fc from 'fast-check';
import { privateKeyToAccount } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import { loadNativeCurve, wasmCurve } from './curve.js';
import { createSigner, isSignedBy, isSignedOn } from './signatures.js';

const word = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes): Hex => toHex(bytes));
const key: Hex = toHex(keccak(Uint8Array.of(5)));
const account = privateKeyToAccount(key);
const { address } = account;

const native = loadNativeCurve();
const curves = native === undefined ? [wasmCurve] : [wasmCurve, native];

/** Order of the group; s and its negative are both valid. */
const ORDER = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fffe_baae_dce6_af48_a03b_bfd2_5e8c_d036_4141n;

describe.each(curves)('createSigner, $name', (curve) => {
  it('gives the signatures that viem gives', async () => {
    const signer = createSigner(key, address, curve);
    await fc.assert(
      fc.asyncProperty(word, async (hash) => {
        expect(await signer.sign({ hash })).toBe(await account.sign({ hash }));
      }),
      { seed: 6, numRuns: 30 },
    );
  });
});

describe.each(curves)('isSignedOn, $name', (curve) => {
  it('agrees with the one in compute, on good, bent and random signatures', async () => {
    const bent = fc.tuple(word, fc.nat(64), fc.nat(255), fc.boolean());
    await fc.assert(
      fc.asyncProperty(bent, async ([digest, at, value, keep]) => {
        const bytes = Buffer.from((await account.sign({ hash: digest })).slice(2), 'hex');
        if (!keep) bytes[at] = value;
        const signature: Hex = `0x${bytes.toString('hex')}`;
        const expected = await isSignedBySlow(address, digest, signature);
        expect(isSignedOn(curve, { address, digest, signature })).toBe(expected);
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it('agrees where r or s are at their ends', async () => {
    const digest = toHex(keccak(Uint8Array.of(6)));
    const good = fromHex(await account.sign({ hash: digest }));
    const s = BigInt(toHex(good.subarray(32, 64)));
    const edges = [0n, 1n, ORDER - s, ORDER - 1n, ORDER, ORDER + 1n, 2n ** 256n - 1n];
    for (const offset of [0, 32])
      for (const edge of edges)
        for (const last of [0, 1, 2, 3, 26, 27, 28, 29, 255]) {
          const bytes = good.slice();
          bytes.set(fromHex(`0x${edge.toString(16).padStart(64, '0')}`), offset);
          bytes[64] = last;
          const signature = toHex(bytes);
          const expected = await isSignedBySlow(address, digest, signature);
          const found = isSignedOn(curve, { address, digest, signature });
          expect(found, `${edge} at ${offset}, ${last}`).toBe(expected);
        }
  });
});

describe('isSignedBy', () => {
  it('takes what is no signature for unsigned', () => {
    for (const text of ['0x', '0x12', `0x${'g'.repeat(130)}`, `0x${'00'.repeat(64)}`] as const)
      expect(isSignedBy(address, key, text)).toBe(false);
  });
});
