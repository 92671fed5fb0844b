import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Addresses } from '@assay/compute';
import { encodeJson, type Hex } from '@assay/protocol';
import { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeDeployment } from '../chain-access.js';
import { listen } from '../listen.js';
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
    traceKeyHash: bytes(32, '7'),
    inputCount: 1,
    outputCountMax: 1,
    sampler: {
      tau: 0,
      topK: 0,
      topP: 0,
      minP: 0,
      seed: bytes(32, '8'),
      stopIds: [],
      controls: bytes(32, '0'),
    },
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

/** An address file in which only the contract of the receipts matters. */
const deploymentWith = (receipts: Hex) => ({
  chainId: 31_337,
  genesisHash: bytes(32, '0'),
  startBlock: 0,
  addresses: {
    channels: bytes(20, '1'),
    court: bytes(20, '1'),
    audits: bytes(20, '1'),
    receipts,
  } as Addresses,
});

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

  it('calls a receipt invalid that is bound to another contract than the network of the folder', async () => {
    writeDeployment(home, deploymentWith(bytes(20, '3')));
    await verify(encodeJson(FALSE_RECEIPT));
    expect(JSON.parse(output).reason).toMatch(/bound to another contract than 0x3333/);
    expect(process.exitCode).toBe(1);
    output = '';
    writeDeployment(home, deploymentWith(bytes(20, '2')));
    await verify(encodeJson(FALSE_RECEIPT));
    expect(JSON.parse(output).reason).toMatch(/its id is not that of its job/);
  });

  it('asks the gateway which network it is where the folder does not know the chain', async () => {
    const chain = { id: 1 };
    const contracts = { receipts: bytes(20, '2') };
    const server = await listen({
      app: new Hono().get('/v1/network', (context) => context.json({ chain, contracts })),
      host: '127.0.0.1',
      port: 0,
    });
    writeFileSync(file, encodeJson(FALSE_RECEIPT));
    const options = { home, file, json: true, gateway: server.url };
    await verifyReceiptCommand(options, ID);
    await server.close();
    expect(JSON.parse(output).reason).toMatch(/of chain 31337, not of 1/);
    output = '';
    await verifyReceiptCommand(options, ID);
    expect(JSON.parse(output).reason).toMatch(/its id is not that of its job/);
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
