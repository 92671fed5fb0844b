/**
 * Turns vouchers into money: from time to time claims every lane whose voucher is ahead of the chain, pays out in the
 * same transaction, and posts the root of the receipts since the last epoch.
 */
import {
  claimLanes,
  collectVault,
  type LaneClaim,
  postEpochRoot,
  readChannel,
  readVault,
} from '@assay/compute';
import {
  type ChannelConfig,
  computeDomain,
  fromHex,
  type Hex,
  hashReceipt,
  merkleRoot,
  type SignedLaneVoucher,
  toHex,
} from '@assay/protocol';
import type { ChainAccess } from '../chain-access.js';
import type { Logger } from '../log.js';
import type { ProviderLedger } from '../stores/provider-store.js';

export type ClaimsOptions = {
  readonly access: ChainAccess;
  readonly store: ProviderLedger;
  readonly intervalMs: number;
  readonly log: Logger;
};

export type Claims = {
  /** Claims and posts now; resolves with the amount claimed. */
  readonly run: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

export function startClaims(options: ClaimsOptions): Claims {
  let current: Promise<void> = Promise.resolve();
  const run = (): Promise<void> => {
    current = current.then(() => claimOnce(options));
    return current;
  };
  const timer = setInterval(() => {
    run().catch((error: unknown) => {
      current = Promise.resolve();
      options.log.warn({ error: String(error) }, 'claim failed, trying again later');
    });
  }, options.intervalMs);
  return {
    run,
    stop: async () => {
      clearInterval(timer);
      await current.catch(() => undefined);
    },
  };
}

async function claimOnce(options: ClaimsOptions): Promise<void> {
  const { access, log } = options;
  const claims = await dueClaims(options);
  if (claims.length > 0) {
    const { claimed } = await claimLanes(access.write, {
      channels: access.market.channels,
      claims,
      settle: true,
    });
    log.info({ lanes: claimed.length }, 'claimed');
  }
  await postEpoch(options);
  await collectDue(options);
}

/** Has the vault pay what has waited long enough, or start a batch with what came in. */
async function collectDue({ access, log }: ClaimsOptions): Promise<void> {
  const { read, write, market } = access;
  const vault = { vaults: market.vaults, provider: write.account.address };
  const { amount, readyAt, held } = await readVault(read, { ...vault, token: market.token });
  const { timestamp } = await read.getBlock();
  const due = amount === 0n ? held > 0n : timestamp >= readyAt;
  if (!due) return;
  await collectVault(write, vault);
  log.info({ paid: amount }, 'collected');
}

/** Vouchers that are worth more than the chain has paid. */
async function dueClaims({ access, store }: ClaimsOptions): Promise<readonly LaneClaim[]> {
  const byChannel = new Map<Hex, SignedLaneVoucher[]>();
  for (const signed of store.vouchers()) {
    const { channelId } = signed.voucher;
    byChannel.set(channelId, [...(byChannel.get(channelId) ?? []), signed]);
  }
  const due: LaneClaim[] = [];
  for (const [channelId, vouchers] of byChannel) {
    const config = store.loadChannel(channelId);
    if (config === undefined) continue;
    due.push(...(await dueOfChannel(access, config, vouchers)));
  }
  return due;
}

async function dueOfChannel(
  { read, market }: ChainAccess,
  config: ChannelConfig,
  vouchers: readonly SignedLaneVoucher[],
): Promise<readonly LaneClaim[]> {
  const { channelId } = vouchers[0]!.voucher;
  const lanes = vouchers.map(({ voucher }) => voucher.lane);
  const state = await readChannel(read, { channels: market.channels, channelId, lanes });
  return vouchers
    .filter(({ voucher }) => voucher.maxClaimableAmount > (state.lanes.get(voucher.lane) ?? 0n))
    .map((signed) => ({ config, signed }));
}

/** Note under which the last receipt under an epoch root is remembered. */
const EPOCH_NOTE = 'epoch_sequence';

/** Posts the root of all receipts since the last epoch; the epoch number is the last receipt's sequence number. */
async function postEpoch({ access, store }: ClaimsOptions): Promise<void> {
  const receipts = store.receiptsAfter(Number(store.readNote(EPOCH_NOTE) ?? '0'));
  const last = receipts.at(-1);
  if (last === undefined) return;
  const { market } = access;
  const domain = computeDomain(market.chainId, market.receipts);
  const digests = receipts.map(({ envelope }) => fromHex(hashReceipt(domain, envelope.receipt)));
  try {
    await postEpochRoot(access.write, {
      receipts: market.receipts,
      epoch: BigInt(last.sequence),
      root: toHex(merkleRoot(digests)),
      count: BigInt(digests.length),
      priceTotal: receipts.reduce((sum, { envelope }) => sum + envelope.receipt.price, 0n),
    });
  } catch (error) {
    // A crash between the post and the note: the chain has this epoch already.
    if ((error as { code?: unknown }).code !== 'epoch_not_new') throw error;
  }
  store.writeNote(EPOCH_NOTE, String(last.sequence));
}
