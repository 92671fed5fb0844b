/** Provider and requester against each other, with a toy engine: every job pays exactly for what arrived. */
import {
  type ChannelConfig,
  CLOCK_SKEW_MAX_SECONDS,
  channelId,
  DEFAULT_CONTROLS,
  encodeControls,
  FINISH,
  type Hex,
  hashControls,
  JOB_LIFETIME_SECONDS,
  jobPriceUp,
  keccak,
  NO_CONTROLS,
  type ReceiptEnvelope,
  settlementDomain,
  toHex,
} from '@assay/protocol';
import { privateKeyToAccount } from 'viem/accounts';
import { beforeEach, describe, expect, it } from 'vitest';
import { vaultAddress } from '../actions/vaults.js';
import { assertEvidence } from '../evidence.js';
import { newLane } from '../lane.js';
import { isSignedBy } from '../signature.js';
import { memoryProviderStore, memoryRequesterStore } from '../testing/memory-stores.js';
import type { Market, Offer } from '../types.js';
import {
  admitJob,
  cancelJob,
  createProvider,
  type Generate,
  type Provider,
  type ProviderContext,
  payJob,
  recoverJobs,
  streamJob,
} from './provider.js';
import {
  bookKeptReceipts,
  deliver,
  type ProviderPeer,
  type Purchase,
  type RequesterContext,
  runPurchase,
  settleJob,
  signJob,
} from './requester.js';

const providerKey = privateKeyToAccount(toHex(keccak(Uint8Array.of(1))));
const payerKey = privateKeyToAccount(toHex(keccak(Uint8Array.of(2))));
const MODEL: Hex = `0x${'0a'.repeat(32)}`;
const ZERO: Hex = `0x${'00'.repeat(20)}`;
const STOP_ID = 0;
const market: Market = {
  chainId: 31_337,
  channels: `0x${'c1'.repeat(20)}`,
  receipts: `0x${'c2'.repeat(20)}`,
  token: `0x${'c3'.repeat(20)}`,
  vaults: `0x${'c4'.repeat(20)}`,
};
const channel: ChannelConfig = {
  payer: payerKey.address,
  payerAuthorizer: ZERO,
  receiver: vaultAddress({ vaults: market.vaults, provider: providerKey.address }),
  receiverAuthorizer: providerKey.address,
  token: market.token,
  withdrawDelay: 900,
  salt: `0x${'00'.repeat(32)}`,
};
const channelKey = channelId(settlementDomain(market.chainId, market.channels), channel);
const offer: Offer = {
  offerId: MODEL,
  provider: providerKey.address,
  endpoint: 'memory:',
  modelId: MODEL,
  inputPrice: 1_000_000n,
  outputPrice: 2_000_000n,
  tier: 3,
};

/** Counts up from 100; ends with the stop id after `length` tokens. */
const counting = (length: number): Generate =>
  async function* ({ job, signal }) {
    for (let made = 1; made <= job.outputCountMax; made++) {
      if (signal.aborted) return;
      await Promise.resolve();
      yield { tokens: [made === length ? STOP_ID : 100 + made] };
      if (made === length) return;
    }
  };

let nowMs = 1_700_000_000_000;
let nonce = 0;
let store: ReturnType<typeof memoryRequesterStore>;
let requester: RequesterContext;

function provider(generate: Generate, changes: Partial<ProviderContext> = {}): Provider {
  const info = {
    modelId: MODEL,
    name: 'toy',
    contextLength: 1_000,
    inputPrice: 1_000_000n,
    outputPrice: 2_000_000n,
    fileHash: MODEL,
    fileSize: 1,
  };
  return createProvider({
    signer: providerKey,
    isSignedBy,
    market,
    models: new Map([[MODEL, { info, generate }]]),
    readChannel: async () => ({ balance: 10_000n, totalClaimed: 0n, withdrawing: false }),
    store: memoryProviderStore(),
    nowMs: () => nowMs,
    sleep: async (_ms, signal) => {
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (!signal.aborted) nowMs += 1_000;
    },
    ...changes,
  });
}

const peerOf = (target: Provider): ProviderPeer => ({
  start: async function* (request) {
    yield* streamJob(target, await admitJob(target, request));
  },
  pay: async (jobId, voucher) => void (await payJob(target, jobId, voucher)),
  cancel: async (jobId) => void cancelJob(target, jobId),
  receipt: async (jobId) => target.store.loadReceipt(jobId),
});

function purchase(peer: ProviderPeer, changes: Partial<Purchase> = {}): Purchase {
  return {
    offer,
    peer,
    channel,
    lane: store.loadLane(channelKey, 0) ?? newLane(channelKey, 0),
    inputTokens: [1, 2, 3, 4, 5],
    outputCountMax: 200,
    sampler: {
      tau: 0,
      topK: 0,
      topP: 0,
      minP: 0,
      seed: MODEL,
      stopIds: [STOP_ID],
      controls: NO_CONTROLS,
    },
    signal: new AbortController().signal,
    ...changes,
  };
}

async function buy(
  buying: Purchase,
  onTokens: (count: number) => void = () => {},
): Promise<{ tokens: number[]; envelope: ReceiptEnvelope | undefined }> {
  const signed = await signJob(requester, buying);
  const tokens: number[] = [];
  let envelope: ReceiptEnvelope | undefined;
  for await (const event of runPurchase(requester, buying, signed)) {
    if (event.type === 'receipt') envelope = event.envelope;
    else {
      tokens.push(...event.tokens);
      onTokens(tokens.length);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  return { tokens, envelope };
}

beforeEach(() => {
  nowMs = 1_700_000_000_000;
  store = memoryRequesterStore();
  requester = {
    signer: payerKey,
    isSignedBy,
    market,
    store,
    nowMs: () => nowMs,
    active: new Set(),
    defer: (task) => void task(),
    soon: (task) => task(),
    randomBytes32: () => toHex(keccak(Uint8Array.of(9, nonce++ & 255, (nonce >> 8) & 255))),
  };
});

describe('a job', () => {
  it('streams, is paid to the last unit, and leaves the same lane on both sides', async () => {
    const serving = provider(counting(150));
    const { tokens, envelope } = await buy(purchase(peerOf(serving)));
    expect(tokens).toHaveLength(150);
    await assertEvidence(envelope!);
    expect(envelope!.receipt).toMatchObject({ finish: FINISH.stop, outputCount: 150 });
    const lane = store.loadLane(channelKey, 0)!;
    expect(lane).toMatchObject({ status: 'idle', paid: jobPriceUp(offer, 5, 150) });
    expect(serving.store.loadLane(channelKey, 0)).toEqual(lane);
    expect(serving.store.loadVoucher(channelKey, 0)?.voucher.maxClaimableAmount).toBe(lane.paid);
  });

  it('keeps its receipt before it is shown, and is paid and gives its lane back after that', async () => {
    const serving = provider(counting(5));
    const soon: (() => void)[] = [];
    let free = 0;
    requester = { ...requester, soon: (task) => void soon.push(task) };
    const peer = peerOf(serving);
    const { envelope } = await buy(purchase(peer, { onLaneFree: () => free++ }));
    expect(store.unbookedReceipts()).toEqual([{ envelope, endpoint: offer.endpoint }]);
    expect([store.receipts.length, soon.length, free, requester.active.size]).toEqual([0, 1, 0, 1]);
    expect(serving.store.loadLane(channelKey, 0)!.status).toBe('owing');
    soon[0]!();
    await expect.poll(() => serving.store.loadLane(channelKey, 0)!.status).toBe('idle');
    expect(store.unbookedReceipts()).toEqual([]);
    expect([store.receipts.length, free, requester.active.size]).toEqual([1, 1, 0]);
    expect(serving.store.loadLane(channelKey, 0)).toEqual(store.loadLane(channelKey, 0));
  });

  it.each([5, 70])(
    'of %i tokens is booked by the next process if this one ends first',
    async (length) => {
      const serving = provider(counting(length));
      const peer = peerOf(serving);
      requester = { ...requester, soon: () => {} };
      await buy(purchase(peer));
      // The same as after a restart: nothing is under way.
      requester = { ...requester, active: new Set() };
      await bookKeptReceipts(requester);
      await bookKeptReceipts(requester);
      expect(store.receipts).toHaveLength(1);
      for (const payment of store.undelivered()) await deliver(requester, peer, payment);
      expect(store.loadLane(channelKey, 0)).toMatchObject({
        status: 'idle',
        paid: jobPriceUp(offer, 5, length),
      });
      expect(serving.store.loadLane(channelKey, 0)).toEqual(store.loadLane(channelKey, 0));
      expect(store.unsettledJobs()).toEqual([]);
    },
  );

  it('follows another on the same lane, cumulatively', async () => {
    const peer = peerOf(provider(counting(40)));
    await buy(purchase(peer));
    await buy(purchase(peer));
    expect(store.loadLane(channelKey, 0)).toMatchObject({
      status: 'idle',
      paid: 2n * jobPriceUp(offer, 5, 40),
      receipts: { count: 2 },
    });
  });

  it('ends at the limit with finish length', async () => {
    const { envelope } = await buy(purchase(peerOf(provider(counting(0))), { outputCountMax: 33 }));
    expect(envelope!.receipt).toMatchObject({ finish: FINISH.length, outputCount: 33 });
  });

  it('cancelled by its requester, costs what was delivered', async () => {
    const stop = new AbortController();
    const serving = provider(counting(0));
    const buying = purchase(peerOf(serving), { signal: stop.signal, outputCountMax: 500 });
    const { tokens, envelope } = await buy(buying, (count) => count === 70 && stop.abort());
    expect(envelope!.receipt.finish).toBe(FINISH.cancelled);
    expect(envelope!.receipt.outputCount).toBe(tokens.length);
    expect(tokens.length).toBeLessThan(80);
    await assertEvidence(envelope!);
  });
});

describe('a provider', () => {
  const refusal = async (serving: Provider, changes: Partial<Purchase>): Promise<string> => {
    const error: unknown = await buy(purchase(peerOf(serving), changes)).catch((caught) => caught);
    return (error as { code: string }).code;
  };

  it('refuses what it cannot or will not do, by name', async () => {
    const serving = provider(counting(5));
    expect(await refusal(serving, { outputCountMax: 2_000 })).toBe('context_length_exceeded');
    expect(await refusal(serving, { offer: { ...offer, inputPrice: 1n } })).toBe('price_refused');
    expect(await refusal(serving, { offer: { ...offer, modelId: `0x${'0b'.repeat(32)}` } })).toBe(
      'model_not_found',
    );
    expect(await refusal(serving, { offer: { ...offer, provider: payerKey.address } })).toBe(
      'wrong_recipient',
    );
    expect(await refusal(serving, { channel: { ...channel, withdrawDelay: 5 } })).toBe(
      'channel_unfit',
    );
    expect(await refusal(serving, { channel: { ...channel, receiver: payerKey.address } })).toBe(
      'channel_unfit',
    );
    expect(await refusal(serving, { outputCountMax: 0 })).toBe('malformed_message');
  });

  it('refuses a job of the past, and one so far ahead that it would have to be remembered for long', async () => {
    const at = (offsetSeconds: number) =>
      provider(counting(5), { nowMs: () => requester.nowMs() + offsetSeconds * 1_000 });
    const lifetime = JOB_LIFETIME_SECONDS;
    const skew = CLOCK_SKEW_MAX_SECONDS;
    expect(await refusal(at(lifetime + skew + 1), {})).toBe('job_expired');
    expect(await refusal(at(-skew - 1), {})).toBe('job_too_long_lived');
    expect((await buy(purchase(peerOf(at(-skew))))).envelope).toBeDefined();
  });

  it('refuses a job that its channel cannot cover, before any work', async () => {
    const readChannel = async () => ({ balance: 30n, totalClaimed: 0n, withdrawing: false });
    expect(await refusal(provider(counting(5), { readChannel }), {})).toBe('channel_empty');
    const withdrawing = async () => ({ balance: 10_000n, totalClaimed: 0n, withdrawing: true });
    expect(await refusal(provider(counting(5), { readChannel: withdrawing }), {})).toBe(
      'channel_unfit',
    );
  });

  it('lets the engine begin while the last voucher is checked, and delivers nothing if it is false', async () => {
    let begun = 0;
    let stopped = 0;
    const serving = provider((input) => {
      begun++;
      input.signal.addEventListener('abort', () => stopped++);
      return counting(40)(input);
    });
    requester = { ...requester, defer: () => {} };
    await buy(purchase(peerOf(serving)));
    const { request, jobId } = await signJob(requester, purchase(peerOf(serving)));
    const { voucher, ...bare } = request;
    const forged = { ...voucher!, signature: request.signature };
    await expect(admitJob(serving, { ...bare, voucher: forged })).rejects.toMatchObject({
      code: 'wrong_signature',
    });
    expect([begun, stopped]).toEqual([2, 1]);
    await expect(admitJob(serving, bare)).rejects.toMatchObject({ code: 'lane_unpaid' });
    expect([begun, stopped]).toEqual([2, 1]);
    expect([serving.running.size, serving.reserved.size, serving.lanesTaken.size]).toEqual([
      0, 0, 0,
    ]);
    await admitJob(serving, request);
    expect(serving.running.get(jobId)?.lane.paid).toBe(voucher!.voucher.maxClaimableAmount);
    expect(serving.store.loadLane(channelKey, 0)).toMatchObject({ status: 'idle' });
  });

  it('runs one job per lane and refuses the same job twice', async () => {
    const serving = provider(counting(5));
    const buying = purchase(peerOf(serving));
    const { request } = await signJob(requester, buying);
    const stream = streamJob(serving, await admitJob(serving, request));
    await stream.next();
    await expect(admitJob(serving, request)).rejects.toMatchObject({ code: 'job_repeated' });
    const second = await signJob(requester, buying);
    await expect(admitJob(serving, second.request)).rejects.toMatchObject({ code: 'lane_busy' });
    await stream.return();
    await stream.next();
    await expect(admitJob(serving, second.request)).resolves.toBeDefined();
  });

  it('stops when increments stay unpaid and gives away no more than two', async () => {
    const serving = provider(counting(0));
    const miser: ProviderPeer = { ...peerOf(serving), pay: async () => {} };
    let seen = 0;
    await expect(
      buy(purchase(miser, { outputCountMax: 500 }), (count) => {
        seen = count;
      }),
    ).rejects.toMatchObject({ code: 'payment_missing' });
    expect(seen).toBe(64);
  });

  it('settles the paid part of a job that a crash cut off, and the requester books the same', async () => {
    const serving = provider(counting(0));
    const peer = peerOf(serving);
    const crashing: ProviderPeer = {
      ...peer,
      start: async function* (request) {
        let heads = 0;
        for await (const event of peer.start(request)) {
          yield event;
          await new Promise((resolve) => setTimeout(resolve, 1));
          if (event.type === 'head' && ++heads === 3) throw new Error('killed');
        }
      },
    };
    await expect(buy(purchase(crashing, { outputCountMax: 500 }))).rejects.toThrow('killed');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const open = store.unsettledJobs();
    expect(open).toHaveLength(1);
    const envelope = await settleJob(requester, peer, open[0]!);
    await assertEvidence(envelope!);
    expect(envelope!.receipt.finish).toBe(FINISH.cancelled);
    expect(store.loadLane(channelKey, 0)).toMatchObject({
      status: 'idle',
      paid: envelope!.receipt.price,
    });
    expect(store.unsettledJobs()).toHaveLength(0);
  });

  it('that never got the last voucher settles for less, and the requester takes the rest back', async () => {
    const memory = memoryProviderStore();
    const serving = provider(counting(0), { store: memory });
    let lost = 0;
    const peer: ProviderPeer = {
      ...peerOf(serving),
      pay: async (jobId, voucher) => {
        if (++lost <= 1) await payJob(serving, jobId, voucher);
        else throw new Error('the provider is dead');
      },
      receipt: async (jobId) => memory.loadReceipt(jobId),
    };
    const buying = purchase(peer, { outputCountMax: 500 });
    const signed = await signJob(requester, buying);
    const paying = runPurchase(requester, buying, signed);
    for (let count = 0; count < 64; count++) await paying.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(store.loadLane(channelKey, 0)!.paid).toBe(jobPriceUp(offer, 5, 32));
    void paying.next().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(store.loadLane(channelKey, 0)!.paid).toBe(jobPriceUp(offer, 5, 64));
    await recoverJobs(provider(counting(0), { store: memory }));
    // Our own process is a new one too: its streams are gone.
    const restarted = { ...requester, active: new Set<Hex>() };
    const envelope = await settleJob(restarted, peer, store.unsettledJobs()[0]!);
    expect(envelope!.receipt.outputCount).toBe(32);
    expect(store.loadLane(channelKey, 0)).toMatchObject({
      status: 'idle',
      paid: jobPriceUp(offer, 5, 32),
    });
  });

  it('that ended the job, but whose receipt was lost on its way, is paid what the receipt says', async () => {
    const serving = provider(counting(70));
    const peer = peerOf(serving);
    const cutting: ProviderPeer = {
      ...peer,
      start: async function* (request) {
        for await (const event of peer.start(request)) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          if (event.type === 'receipt') throw new Error('killed');
          if (event.type !== 'tokens' || event.index < 66) yield event;
        }
      },
    };
    await expect(buy(purchase(cutting))).rejects.toThrow('killed');
    expect(serving.store.loadLane(channelKey, 0)!.status).toBe('owing');
    const envelope = await settleJob(requester, peer, store.unsettledJobs()[0]!);
    expect(envelope!.receipt.outputCount).toBe(70);
    expect(store.loadLane(channelKey, 0)).toMatchObject({
      status: 'idle',
      paid: jobPriceUp(offer, 5, 70),
    });
    expect(serving.store.loadLane(channelKey, 0)).toEqual(store.loadLane(channelKey, 0));
  });

  it('recovers open jobs after a restart from its store alone', async () => {
    const memory = memoryProviderStore();
    const serving = provider(counting(0), { store: memory });
    const { request, jobId } = await signJob(
      requester,
      purchase(peerOf(serving), { outputCountMax: 500 }),
    );
    const stream = streamJob(serving, await admitJob(serving, request));
    const paying = runPurchase(
      requester,
      purchase({ ...peerOf(serving), start: () => stream }, { outputCountMax: 500 }),
      { request, jobId },
    );
    for (let count = 0; count < 70; count++) await paying.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const restarted = provider(counting(0), { store: memory });
    const [envelope] = await recoverJobs(restarted);
    await assertEvidence(envelope!);
    expect(envelope!.receipt.price).toBe(store.loadLane(channelKey, 0)!.paid);
    expect(memory.openJobs()).toHaveLength(0);
  });
});

describe('a requester', () => {
  it('does not pay for a head that does not fit the tokens', async () => {
    const peer = peerOf(provider(counting(100)));
    const lying: ProviderPeer = {
      ...peer,
      start: async function* (request) {
        for await (const event of peer.start(request))
          yield event.type === 'head' ? { ...event, head: MODEL } : event;
      },
    };
    await expect(buy(purchase(lying))).rejects.toMatchObject({ code: 'peer_lied' });
    expect(store.loadLane(channelKey, 0)).toMatchObject({ status: 'idle', paid: 0n });
  });

  it('does not accept a receipt for another price', async () => {
    const peer = peerOf(provider(counting(20)));
    const greedy: ProviderPeer = {
      ...peer,
      start: async function* (request) {
        for await (const event of peer.start(request))
          yield event.type === 'receipt'
            ? { ...event, receipt: { ...event.receipt, price: event.receipt.price + 1n } }
            : event;
      },
    };
    await expect(buy(purchase(greedy))).rejects.toMatchObject({ code: 'receipt_invalid' });
    expect(store.receipts).toHaveLength(0);
  });

  it('treats a stream that just ends as broken', async () => {
    const peer = peerOf(provider(counting(100)));
    const dying: ProviderPeer = {
      ...peer,
      start: async function* (request) {
        for await (const event of peer.start(request)) {
          if (event.type === 'tokens' && event.index > 10) return;
          yield event;
        }
      },
    };
    await expect(buy(purchase(dying))).rejects.toMatchObject({ code: 'provider_failed' });
  });
});

/** As {@link counting}, with a detail of `size` bytes for each token, which counts too. */
const detailed = (length: number, size: number): Generate =>
  async function* (input) {
    let made = 0;
    for await (const { tokens } of counting(length)(input)) {
      for (const token of tokens) {
        yield { tokens: [token], detail: new Uint8Array(size).fill(made++) };
      }
    }
  };

describe('a job with controls', () => {
  const bytes = encodeControls({ ...DEFAULT_CONTROLS, presence: 5, topLogprobs: 1 });
  const SIZE = 12;
  const controls = toHex(bytes);
  const sampler = (committed: Hex) => ({
    tau: 0,
    topK: 0,
    topP: 0,
    minP: 0,
    seed: MODEL,
    stopIds: [STOP_ID],
    controls: committed,
  });
  const controlled = { controls, sampler: sampler(hashControls(bytes)) };

  it('brings controls and details in its receipt, bound by every head and the stream head', async () => {
    const serving = provider(detailed(70, SIZE));
    const { tokens, envelope } = await buy(purchase(peerOf(serving), controlled));
    expect(tokens).toHaveLength(70);
    expect(envelope).toMatchObject({ controls, receipt: { outputCount: 70 } });
    const expected = tokens.flatMap((_, index) => Array.from({ length: SIZE }, () => index));
    expect(envelope!.detail).toBe(toHex(Uint8Array.from(expected)));
    await assertEvidence(envelope!);
    expect(store.loadLane(channelKey, 0)).toMatchObject({ status: 'idle' });
    expect(serving.store.loadReceipt(envelope!.jobId)).toEqual(envelope);
    const changes: [Partial<ReceiptEnvelope>, RegExp][] = [
      [{ detail: toHex(Uint8Array.from(expected).with(9, 1)) }, /stream was another/],
      [{ detail: `0x${envelope!.detail!.slice(4)}` }, /details have another length/],
      [{ controls: '0x01' }, /controls are others/],
      [{ controls: toHex(encodeControls(DEFAULT_CONTROLS)) }, /controls are others/],
    ];
    for (const [change, reason] of changes)
      await expect(assertEvidence({ ...envelope!, ...change })).rejects.toThrow(reason);
    const { controls: _, ...bare } = envelope!;
    await expect(assertEvidence(bare)).rejects.toThrow(/controls are others/);
  });

  it('that breaks off is settled for its paid part, details included', async () => {
    const breaking: Generate = async function* (input) {
      let count = 0;
      for await (const piece of detailed(0, SIZE)(input)) {
        if (count++ === 80) throw new Error('the engine broke');
        yield piece;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const serving = provider(breaking);
    const peer = peerOf(serving);
    await expect(buy(purchase(peer, controlled))).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const [open] = store.unsettledJobs();
    const envelope = await settleJob(requester, peer, open!);
    const { outputCount } = envelope!.receipt;
    expect(outputCount % 32).toBe(0);
    expect(outputCount).toBeGreaterThan(0);
    expect(envelope!.detail).toHaveLength(2 + 2 * SIZE * outputCount);
    await assertEvidence(envelope!);
  });

  it('is refused unless the bytes are canonical and those of the job', async () => {
    const refusalOf = async (changes: Partial<Purchase>): Promise<string> => {
      const buying = purchase(peerOf(provider(detailed(5, SIZE))), changes);
      const error: unknown = await buy(buying).catch((caught) => caught);
      return (error as { code: string }).code;
    };
    expect(await refusalOf({ ...controlled, controls: '0x0107000000010101' })).toBe(
      'commitment_mismatch',
    );
    expect(await refusalOf({ sampler: controlled.sampler })).toBe('commitment_mismatch');
    const odd = Uint8Array.of(1, 9, 9);
    const committed = hashControls(odd);
    expect(await refusalOf({ controls: toHex(odd), sampler: sampler(committed) })).toBe(
      'controls_invalid',
    );
  });

  it('that asks for an embedding gives no tokens, and costs its prompt', async () => {
    const embedding = encodeControls({ ...DEFAULT_CONTROLS, pooling: 'mean' });
    const asked = {
      controls: toHex(embedding),
      sampler: sampler(hashControls(embedding)),
      outputCountMax: 0,
    };
    const vector = Uint8Array.from({ length: 64 }, (_, index) => 3 * index);
    const embed: Generate = async function* () {
      yield { tokens: [], detail: vector };
    };
    const { tokens, envelope } = await buy(purchase(peerOf(provider(embed)), asked));
    expect(tokens).toEqual([]);
    expect(envelope!.detail).toBe(toHex(vector));
    expect(envelope!.receipt).toMatchObject({ outputCount: 0, price: jobPriceUp(offer, 5, 0) });
    await assertEvidence(envelope!);
    const falsified = { ...envelope!, detail: toHex(vector.with(0, 1)) };
    await expect(assertEvidence(falsified)).rejects.toThrow(/the stream was another one/);
    const peer = peerOf(provider(embed));
    await expect(buy(purchase(peer, { ...asked, outputCountMax: 1 }))).rejects.toMatchObject({
      code: 'malformed_message',
    });
  });

  it('that should have given an embedding and gave nothing is broken, not paid', async () => {
    const embedding = encodeControls({ ...DEFAULT_CONTROLS, pooling: 'last' });
    const asked = {
      controls: toHex(embedding),
      sampler: sampler(hashControls(embedding)),
      outputCountMax: 0,
    };
    const silent: Generate = async function* () {};
    await expect(buy(purchase(peerOf(provider(silent)), asked))).rejects.toThrow();
    expect(store.loadLane(channelKey, 0)?.paid ?? 0n).toBe(0n);
  });
});

describe('an answer that goes on after a stop id', () => {
  it('is refused by whoever looks at its receipt', async () => {
    const late: Generate = async function* () {
      yield { tokens: [101, STOP_ID, 102, STOP_ID] };
    };
    await expect(buy(purchase(peerOf(provider(late))))).rejects.toThrow(/goes on after a stop id/);
  });
});
