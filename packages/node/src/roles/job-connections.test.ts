/**
 * Jobs over one connection, on real sockets, with real keys and stores; a toy engine counts. What comes over a
 * connection is what comes over a request of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createProvider,
  type Generate,
  newLane,
  type Provider,
  type Purchase,
  type RequesterContext,
  runPurchase,
  signJob,
  vaultAddress,
} from '@assay/compute';
import {
  AssayError,
  channelId,
  encodeJson,
  FINISH,
  type Hex,
  JOBS_UPGRADE,
  keccak,
  NO_CONTROLS,
  type ReceiptEnvelope,
  settlementDomain,
  toHex,
} from '@assay/protocol';
import { privateKeyToAddress } from 'viem/accounts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Listening, listen } from '../listen.js';
import { createLog } from '../log.js';
import { providerPeer } from '../peers/provider-peer.js';
import { createSigner, isSignedBy } from '../signatures.js';
import { openProviderStore, type ProviderLedger } from '../stores/provider-store.js';
import { openRequesterStore, type RequesterLedger } from '../stores/requester-store.js';
import { acceptJobs } from './job-connections.js';
import { JOB_BYTES_MAX } from './job-stream.js';
import { providerApp } from './provider-http.js';

const keyOf = (seed: number): Hex => toHex(keccak(Uint8Array.of(seed)));
const addressOf = (byte: string): Hex => `0x${byte.repeat(20)}`;
const MODEL: Hex = `0x${'0a'.repeat(32)}`;
const ZERO: Hex = addressOf('00');
const market = {
  chainId: 31_337,
  channels: addressOf('c1'),
  receipts: addressOf('c2'),
  token: addressOf('c3'),
  vaults: addressOf('c4'),
};
const signerOf = (seed: number) => createSigner(keyOf(seed), privateKeyToAddress(keyOf(seed)));
const [seller, payer] = [signerOf(1), signerOf(2)];
const channel = {
  payer: payer.address,
  payerAuthorizer: ZERO,
  receiver: vaultAddress({ vaults: market.vaults, provider: seller.address }),
  receiverAuthorizer: seller.address,
  token: market.token,
  withdrawDelay: 900,
  salt: `0x${'00'.repeat(32)}` as Hex,
};
const channelKey = channelId(settlementDomain(market.chainId, market.channels), channel);
const prices = { inputPrice: 1_000_000n, outputPrice: 2_000_000n };

/** Begun and stopped runs of the toy engine. */
let begun = 0;
let stopped = 0;
/** Holds the toy engine back while it is set. */
let held: Promise<void> | undefined;

/** One token more for each, up to the limit. */
const counting: Generate = async function* ({ job, signal }) {
  begun++;
  signal.addEventListener('abort', () => stopped++);
  for (let made = 1; made <= job.outputCountMax && !signal.aborted; made++) {
    await held;
    yield { tokens: [100 + made] };
  }
};

const log = createLog('provider', 'silent');
let folder: string;
let sold: ProviderLedger;
let bought: RequesterLedger;
let provider: Provider;
let requester: RequesterContext;
let server: Listening;
let asked: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'assay-connections-'));
  [begun, stopped, held, asked] = [0, 0, undefined, []];
  sold = openProviderStore(join(folder, 'provider.db'));
  bought = openRequesterStore(join(folder, 'payments.db'));
  const info = { modelId: MODEL, name: 'toy', contextLength: 1_000, ...prices };
  provider = createProvider({
    signer: seller,
    isSignedBy,
    market,
    models: new Map([
      [MODEL, { info: { ...info, fileHash: MODEL, fileSize: 1 }, generate: counting }],
    ]),
    readChannel: async () => ({ balance: 1_000_000n, totalClaimed: 0n, withdrawing: false }),
    store: sold,
    nowMs: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20))),
  });
  let salt = 0;
  requester = {
    signer: payer,
    isSignedBy,
    market,
    store: bought,
    nowMs: Date.now,
    active: new Set(),
    defer: () => {},
    soon: (task) => task(),
    randomBytes32: () => keyOf(100 + salt++),
  };
  server = await serve({ upgrades: true });
});
afterEach(async () => {
  await server.close();
  sold.close();
  bought.close();
  rmSync(folder, { recursive: true, force: true });
});

function serve({ upgrades }: { readonly upgrades: boolean }): Promise<Listening> {
  const jobs = { provider, queueMax: 8, log };
  const app = providerApp({
    ...jobs,
    info: () => {
      throw new Error('nobody asks');
    },
    modelPath: () => undefined,
  });
  const accept = acceptJobs(jobs);
  const onUpgrade: typeof accept = (request, ...rest) => {
    asked.push(`${request.method} upgrade`);
    accept(request, ...rest);
  };
  const fetch: typeof app.fetch = (request, ...rest) => {
    asked.push(request.method);
    return app.fetch(request, ...rest);
  };
  return listen({ app: { fetch: fetch as never }, port: 0, ...(upgrades && { onUpgrade }) });
}

function purchase(changes: Partial<Purchase> = {}, lane = 0): Purchase {
  return {
    offer: {
      offerId: MODEL,
      provider: seller.address,
      endpoint: server.url,
      modelId: MODEL,
      tier: 3,
      ...prices,
    },
    peer: providerPeer(server.url),
    channel,
    lane: bought.loadLane(channelKey, lane) ?? newLane(channelKey, lane),
    inputTokens: [1, 2, 3],
    outputCountMax: 5,
    sampler: { tau: 0, topK: 0, topP: 0, minP: 0, seed: MODEL, stopIds: [], controls: NO_CONTROLS },
    signal: new AbortController().signal,
    ...changes,
  };
}

async function buy(buying: Purchase): Promise<ReceiptEnvelope> {
  for await (const event of runPurchase(requester, buying, await signJob(requester, buying)))
    if (event.type === 'receipt') return event.envelope;
  throw new Error('no receipt');
}

const codeOf = async (buying: Promise<unknown>): Promise<string> => {
  const error = await buying.catch((caught: unknown) => caught);
  return error instanceof AssayError ? error.code : String(error);
};

describe('a connection for jobs', () => {
  it('carries one job after the other, each paid and with its receipt', async () => {
    for (let count = 1; count <= 3; count++) {
      const { receipt, outputTokens } = await buy(purchase());
      expect(outputTokens).toEqual([101, 102, 103, 104, 105]);
      expect(receipt.finish).toBe(FINISH.length);
      expect(sold.loadLane(channelKey, 0)?.receipts.count).toBe(count);
    }
    expect(asked).toEqual(['GET upgrade']);
  });

  it('is not shared by jobs of the same moment', async () => {
    await Promise.all([0, 1, 2].map((lane) => buy(purchase({}, lane))));
    await Promise.all([0, 1, 2].map((lane) => buy(purchase({}, lane))));
    expect(asked).toEqual(['GET upgrade', 'GET upgrade', 'GET upgrade']);
  });

  it('takes the vouchers of a long job meanwhile', async () => {
    const { receipt } = await buy(purchase({ outputCountMax: 200 }));
    expect(receipt.outputCount).toBe(200);
    expect(asked.filter((what) => what === 'POST').length).toBeGreaterThan(0);
  });

  it('brings refusals by name, and the next job after one', async () => {
    const dear = { ...purchase().offer, inputPrice: 1n };
    expect(await codeOf(buy(purchase({ offer: dear })))).toBe('price_refused');
    expect((await buy(purchase())).receipt.outputCount).toBe(5);
    expect(asked).toEqual(['GET upgrade']);
  });

  it('is given up when the reader leaves, and the job with it', async () => {
    let letGo = (): void => {};
    held = new Promise((resolve) => (letGo = resolve));
    const events = purchase().peer.start((await signJob(requester, purchase())).request);
    const first = events[Symbol.asyncIterator]();
    await first.next();
    const left = first.return?.();
    await expect.poll(() => stopped).toBe(1);
    letGo();
    await left;
    await expect.poll(() => [provider.running.size, provider.lanesTaken.size]).toEqual([0, 0]);
    expect((await buy(purchase())).receipt.outputCount).toBe(5);
    expect(asked).toEqual(['GET upgrade', 'GET upgrade']);
  });

  it('fails by name when the provider is gone, before a job and during one', async () => {
    let letGo = (): void => {};
    await buy(purchase());
    held = new Promise((resolve) => (letGo = resolve));
    const buying = codeOf(buy(purchase()));
    await expect.poll(() => begun).toBe(2);
    await server.close();
    expect(['provider_failed', 'peer_unreachable']).toContain(await buying);
    letGo();
    expect(await codeOf(buy(purchase()))).toBe('peer_unreachable');
  });

  it('is done without where a provider takes requests only', async () => {
    await server.close();
    server = await serve({ upgrades: false });
    for (let count = 1; count <= 2; count++)
      expect((await buy(purchase())).receipt.outputCount).toBe(5);
    expect(asked).toEqual(['GET', 'POST', 'POST']);
  });
});

describe('a requester that was served a moment ago', () => {
  /** Sends lines over one connection; resolves with the type, or the error, of the last line of each answer. */
  async function answersTo(lines: readonly string[]): Promise<string[]> {
    const socket = await upgraded(server.port, JOBS_UPGRADE);
    const answers: string[] = [];
    for (const line of lines) {
      socket.write(`${line}\n`);
      answers.push(await lastAnswer(socket));
    }
    socket.destroy();
    return answers;
  }

  it('has its job begun before the signature is checked, but nothing of a false one leaves', async () => {
    const genuine = (await signJob(requester, purchase())).request;
    const { request, jobId } = await signJob(requester, purchase({}, 1));
    const forged = { ...request, signature: genuine.signature };
    const answers = await answersTo([genuine, forged, forged].map(encodeJson));
    expect(answers).toEqual(['receipt', 'wrong_signature', 'wrong_signature']);
    // The first had to show its signature, the second did not and was stopped, the third had to again.
    expect([begun, stopped]).toEqual([2, 1]);
    expect(provider.lanesTaken.size + provider.running.size + provider.reserved.size).toBe(0);
    expect(sold.loadReceipt(jobId)).toBeUndefined();
  });

  it('is a stranger on another connection', async () => {
    const genuine = (await signJob(requester, purchase())).request;
    const { request } = await signJob(requester, purchase({}, 1));
    const forged = { ...request, signature: genuine.signature };
    expect(await answersTo([encodeJson(genuine)])).toEqual(['receipt']);
    expect(await answersTo([encodeJson(forged)])).toEqual(['wrong_signature']);
    expect(begun).toBe(1);
  });
});

describe('acceptJobs', () => {
  it('refuses other protocols, and lines that are no jobs', async () => {
    await expect(upgraded(server.port, 'websocket')).rejects.toThrow('400');
    const socket = await upgraded(server.port, JOBS_UPGRADE);
    socket.write('{"job":1}\n');
    expect(await lastAnswer(socket)).toBe('malformed_message');
    socket.write('what?\n');
    expect(await lastAnswer(socket)).toBe('malformed_message');
    socket.destroy();
  });

  it('cuts a connection whose line never ends', async () => {
    const socket = await upgraded(server.port, JOBS_UPGRADE);
    const cut = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.write('x'.repeat(JOB_BYTES_MAX + 1));
    await cut;
  });
});

/** Asks for `protocol`; throws the status line of a refusal. */
async function upgraded(port: number, protocol: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  const head = `GET /v1/jobs HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n\r\n`;
  socket.write(head);
  const answer = await new Promise<string>((resolve) =>
    socket.once('data', (part) => resolve(part.toString())),
  );
  if (!answer.startsWith('HTTP/1.1 101')) throw new Error(answer.split('\r\n')[0]);
  return socket;
}

/** The type of the line that ends a job, or the code of its error. */
function lastAnswer(socket: Socket): Promise<string> {
  let text = '';
  return new Promise((resolve) => {
    const read = (part: Buffer): void => {
      text += part.toString();
      for (const line of text.split('\n').slice(0, -1)) {
        const { type, error, code } = JSON.parse(line) as {
          type: string;
          code?: string;
          error?: { code: string };
        };
        if (!['receipt', 'refused', 'error'].includes(type)) continue;
        socket.off('data', read);
        resolve(error?.code ?? code ?? type);
      }
    };
    socket.on('data', read);
  });
}
