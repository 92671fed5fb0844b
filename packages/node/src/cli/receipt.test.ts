import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeJson, type Hex } from '@assay/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { verifyReceiptCommand } from './receipt.js';

const bytes = (size: number, digit: string): Hex => `0x${digit.repeat(2 * size)}`;
const ID = bytes(32, '1');

/** Of the right shape, but nothing in it holds. */
const FALSE_RECEIPT = {
  jobId: ID,
  chainId: 31_337,
  contract: bytes(20, '2'),
  job: {
    modelId: bytes(32, '3'),
    provider: bytes(20, '4'),
    requester: bytes(20, '5'),
    channelId: bytes(32, '6'),
    lane: 0,
    tier: 0,
    inputRoot: bytes(32, '7'),
    inputCount: 1,
    outputCountMax: 1,
    sampler: { tau: 0, topK: 0, topP: 0, minP: 0, seed: bytes(32, '8'), stopIds: [] },
    inputPrice: 1n,
    outputPrice: 1n,
    expiresAt: 1n,
    nonce: bytes(32, '9'),
  },
  jobSignature: bytes(65, 'a'),
  receipt: {
    jobId: ID,
    outputRoot: bytes(32, 'b'),
    outputCount: 1,
    finish: 1,
    streamHead: bytes(32, 'c'),
    price: 1n,
    completedAt: 1n,
  },
  receiptSignature: bytes(65, 'd'),
  inputTokens: [1],
  outputTokens: [2],
  salt: bytes(32, 'e'),
};

let home: string;
let file: string;
let output: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'assay-receipt-'));
  file = join(home, 'receipt.json');
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
  rmSync(home, { recursive: true });
});

const verify = (text: string, id: string = ID) => {
  writeFileSync(file, text);
  return verifyReceiptCommand({ home, file, json: true }, id);
};

describe('assay receipt verify', () => {
  it('calls a receipt invalid whose evidence does not hold, and exits 1', async () => {
    await verify(encodeJson(FALSE_RECEIPT));
    expect(JSON.parse(output)).toMatchObject({
      result: 'invalid',
      reason: 'The receipt is not valid: its id is not that of its job.',
      receipt: ID,
    });
    expect(process.exitCode).toBe(1);
  });

  it('reads what `receipt show --json` prints', async () => {
    await verify(encodeJson({ envelope: FALSE_RECEIPT, check: null, createdAt: 1 }));
    expect(JSON.parse(output)).toMatchObject({ result: 'invalid', receipt: ID });
  });

  it('calls another shape invalid', async () => {
    await verify('{"envelope":{"jobId":1}}');
    expect(JSON.parse(output)).toMatchObject({ result: 'invalid' });
    expect(process.exitCode).toBe(1);
  });

  it('calls the receipt of another job invalid', async () => {
    const other = bytes(32, 'f');
    await verify(encodeJson(FALSE_RECEIPT), other);
    expect(JSON.parse(output)).toMatchObject({ result: 'invalid', receipt: other });
    expect(process.exitCode).toBe(1);
  });

  it('does not judge what it cannot read', async () => {
    await expect(verify('{')).rejects.toMatchObject({ code: 'receipt_file_unreadable' });
    await expect(
      verifyReceiptCommand({ home, file: join(home, 'none'), json: true }, ID),
    ).rejects.toMatchObject({ code: 'receipt_file_unreadable', fault: 'user' });
    await expect(verify('{}', '0x12')).rejects.toMatchObject({ code: 'invalid_value' });
  });
});
