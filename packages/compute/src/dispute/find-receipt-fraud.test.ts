import { commitTokens, FINISH, fromHex, type Receipt, rootFromProof, toHex } from '@assay/protocol';
import { describe, expect, it } from 'vitest';
import { findReceiptFraud } from './find-receipt-fraud.js';
import { honestCase } from './testing/honest-case.js';
import { decodeProof } from './trace-proof.js';

const STOP = 1_099;
const { envelope } = honestCase({
  ...{ seed: 1, inputCount: 2, outputCount: 20 },
  sampler: { stopIds: [STOP] },
  config: { width: 32, feedForwardWidth: 32, headSize: 8, vocabularySize: 1_100 },
});

/** The same job with another receipt or other tokens, committed to as a provider would. */
function answered(receipt: Partial<Receipt>, tokens: readonly number[] = envelope.outputTokens) {
  const { job, salt } = envelope;
  const outputRoot = commitTokens(salt, tokens);
  const counted = { ...envelope.receipt, outputCount: tokens.length, outputRoot };
  return { job, salt, outputTokens: tokens, receipt: { ...counted, ...receipt } };
}

const kindOf = (signed: ReturnType<typeof answered>) => findReceiptFraud(signed)?.kind;
const { outputTokens } = envelope;
const stopped = [...outputTokens.slice(0, 16), STOP];

describe('findReceiptFraud', () => {
  it('finds nothing in receipts that fit their job', () => {
    expect(outputTokens).not.toContain(STOP);
    expect(kindOf(answered({}))).toBeUndefined();
    expect(kindOf(answered({ finish: FINISH.stop }, stopped))).toBeUndefined();
    expect(kindOf(answered({ finish: FINISH.cancelled }, outputTokens.slice(1)))).toBeUndefined();
  });

  it('names what counts, price and finish contradict', () => {
    expect(kindOf(answered({ outputCount: 21 }))).toBe('outputCount');
    expect(kindOf(answered({ price: 1n }))).toBe('price');
    expect(kindOf(answered({ finish: FINISH.cancelled }))).toBe('finish');
    expect(kindOf(answered({ finish: FINISH.length }, outputTokens.slice(1)))).toBe('finish');
    expect(kindOf(answered({ finish: FINISH.stop }, []))).toBe('finish');
  });

  it('names a commitment to more or fewer tokens than are counted, and no tokens of somebody else', () => {
    const counted = (outputCount: number) => answered({ outputCount, finish: FINISH.cancelled });
    expect(kindOf(counted(19))).toBe('tokenForm');
    expect(kindOf(counted(17))).toBe('tokenForm');
    expect(kindOf(counted(16))).toBe('outputLeaves');
    expect(
      kindOf({ ...answered({}), outputTokens: [STOP, ...outputTokens.slice(1)] }),
    ).toBeUndefined();
    expect(kindOf({ ...answered({}), outputTokens: outputTokens.slice(1) })).toBeUndefined();
  });

  it('opens the token that should have ended the answer, or that should not have', () => {
    const cases = [
      ['stopMissing', answered({ finish: FINISH.stop }), 19],
      ['stopPassed', answered({ finish: FINISH.cancelled }, stopped), 16],
      ['stopPassed', answered({ finish: FINISH.stop }, [STOP, ...stopped]), 0],
    ] as const;
    for (const [kind, signed, index] of cases) {
      const fraud = findReceiptFraud(signed)!;
      expect(fraud.kind).toBe(kind);
      const proof = decodeProof(fraud.bytes);
      expect(proof.index).toBe(index);
      const { data, count, path } = proof.others[0]!;
      const root = rootFromProof({
        ...{ data: fromHex(data), count: Number(count), proof: path.map(fromHex) },
        index: Math.floor(index / 16),
      });
      expect(toHex(root!)).toBe(signed.receipt.outputRoot);
    }
  });
});
