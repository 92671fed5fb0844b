/**
 * Buying one job for a client: an offer, a lane with money behind it, a signed job, and another provider when the first
 * fails before anything was shown or paid. Chat answers and embeddings both buy here.
 */
import {
  type Offer,
  type PurchaseEvent,
  type RequesterContext,
  runPurchase,
  type SignedJob,
  signJob,
} from '@assay/compute';
import {
  AssayError,
  type Controls,
  encodeControls,
  FINISH,
  type Hex,
  hashControls,
  jobPriceUp,
  type ReceiptEnvelope,
  type Sampler,
  toHex,
} from '@assay/protocol';
import type { Logger } from '../log.js';
import { providerPeer } from '../peers/provider-peer.js';
import type { ModelCatalog, OpenedModel } from './model-catalog.js';
import type { Wallet } from './wallet.js';

export type BuyingOptions = {
  readonly requester: RequesterContext;
  readonly wallet: Wallet;
  readonly catalog: ModelCatalog;
  /** Called with every receipt, which is kept by then; it is booked and paid soon after. */
  readonly onReceipt: (envelope: ReceiptEnvelope) => void;
  readonly onProviderFailed: (provider: Hex) => void;
  readonly log: Logger;
  readonly nowMs: () => number;
};

/** What is to be bought, whoever sells it. */
export type Wanted = {
  readonly model: OpenedModel;
  readonly inputTokens: readonly number[];
  readonly outputCountMax: number;
  readonly sampler: Omit<Sampler, 'controls'>;
  readonly controls: Controls;
};

/** A job under way. */
export type Bought = {
  readonly offer: Offer;
  readonly signed: SignedJob;
  readonly events: AsyncGenerator<PurchaseEvent, void>;
  /** Ends the job after what has arrived. */
  readonly stop: AbortController;
};

/** Providers tried before a request is given up. */
const TRIES_MAX = 3;

/** Failures of one provider that another may not have; nothing has been shown or paid when they come. */
const ANOTHER_MAY_SERVE = new Set([
  'peer_unreachable',
  'provider_failed',
  'queue_full',
  'engine_failed',
]);

/** The first `begin` that succeeds, with one provider after the other; `left` fires when the client goes. */
export async function buy<T>(
  options: BuyingOptions,
  wanted: Wanted,
  { left, begin }: { readonly left: AbortSignal; readonly begin: (bought: Bought) => Promise<T> },
): Promise<T> {
  const { modelId } = wanted.model.info;
  const tried: Hex[] = [];
  for (;;) {
    const bought = await start(options, wanted, tried);
    left.addEventListener('abort', () => bought.stop.abort(), { once: true });
    try {
      return await begin(bought);
    } catch (error) {
      giveUp(options, bought, error);
      tried.push(bought.offer.provider);
      const another = error instanceof AssayError && ANOTHER_MAY_SERVE.has(error.code);
      const known = options.catalog.hasOffer(modelId, tried);
      if (!another || !known || left.aborted || tried.length >= TRIES_MAX) throw error;
    }
  }
}

/** Chooses, prices, reserves and signs; the job is not sent yet. */
async function start(
  options: BuyingOptions,
  { model, inputTokens, outputCountMax, sampler, controls }: Wanted,
  tried: readonly Hex[],
): Promise<Bought> {
  const offer = options.catalog.pickOffer(model.info.modelId, tried);
  const cost = jobPriceUp(offer, inputTokens.length, outputCountMax);
  const held = await options.wallet.acquire(offer.provider, cost);
  const stop = new AbortController();
  const bytes = encodeControls(controls);
  try {
    const purchase = {
      offer,
      peer: providerPeer(offer.endpoint),
      channel: held.channel,
      lane: held.lane,
      inputTokens,
      outputCountMax,
      sampler: { ...sampler, controls: hashControls(bytes) },
      ...(bytes.length === 0 ? {} : { controls: toHex(bytes) }),
      signal: stop.signal,
      onLaneFree: held.release,
    };
    const signed = await signJob(options.requester, purchase);
    return { offer, signed, stop, events: runPurchase(options.requester, purchase, signed) };
  } catch (error) {
    held.release();
    throw error;
  }
}

/** The job ended with a receipt; one for a part that nobody asked to stop is the provider's failure. */
export function settleBought(
  options: BuyingOptions,
  { stop }: Bought,
  envelope: ReceiptEnvelope,
): void {
  options.onReceipt(envelope);
  if (envelope.receipt.finish === FINISH.cancelled && !stop.signal.aborted) throw providerStopped();
}

/** The job ended with an error; not the provider's failure if we had told it to stop. */
export function giveUp(options: BuyingOptions, { offer, stop }: Bought, error: unknown): void {
  const isPeers = error instanceof AssayError && error.fault === 'peer';
  if (isPeers && !stop.signal.aborted) options.onProviderFailed(offer.provider);
}

/** Also when it signed a receipt for the part: nobody asked it to stop. */
export const providerStopped = (): AssayError =>
  new AssayError({
    code: 'provider_failed',
    fault: 'peer',
    message: 'The provider stopped before the answer was complete.',
    remedy: 'Ask again; only what arrived was paid.',
  });

export function logUnexpected(log: Logger, error: unknown): void {
  if (error instanceof AssayError) log.debug({ code: error.code }, 'request refused');
  else log.error({ error: String(error), stack: (error as Error).stack }, 'request failed');
}

export const queueFull = (count: number): AssayError =>
  new AssayError({
    code: 'queue_full',
    fault: 'platform',
    message: 'Too many requests are under way.',
    value: String(count),
    remedy: 'Try again after the time in Retry-After.',
  });
