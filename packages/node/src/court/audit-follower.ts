/**
 * The audits of a network as its chain tells them: epochs that were posted, which of them are drawn, and what was
 * reported and answered. Nothing is stored; what is over is forgotten. A chain that was reorganised is read again.
 */
import type { Address, Hex } from '@assay/protocol';
import { auditsAbi, receiptsAbi } from '@assay/protocol/abi';
import { type BlockRange, blockRanges } from '../block-ranges.js';
import type { ChainAccess } from '../chain-access.js';

/** Epochs remembered; more wait at once only if nobody settles, and the oldest are over then. */
const EPOCHS_MAX = 10_000;

type AuditEvent = Awaited<
  ReturnType<
    typeof import('viem/actions').getContractEvents<undefined, typeof auditsAbi, undefined, true>
  >
>[number];

export type Draw = Extract<AuditEvent, { eventName: 'EpochDrawn' }>['args']['draw'];

/** What one seat of an audit did; numbers are those of the contract. */
export type AuditReport = {
  readonly holder: Address;
  readonly stage: 'committed' | 'revealed' | 'settled';
  readonly finding: number;
  readonly root: Hex | undefined;
  readonly outcome: number;
};

export type AuditAnswer = { readonly jobId: Hex; readonly root: Hex };

export type AuditedEpoch = {
  readonly provider: Address;
  readonly epoch: bigint;
  readonly root: Hex;
  readonly count: bigint;
  readonly postedBlock: bigint;
  /** Undefined while nobody drew. */
  draw: Draw | undefined;
  /** By {@link placeKey}. */
  readonly reports: Map<string, AuditReport>;
  /** By index of the receipt. */
  readonly answers: Map<bigint, AuditAnswer>;
};

export type AuditFollower = {
  /** Reads what is new. */
  readonly refresh: () => Promise<void>;
  /** Posted epochs, oldest first. */
  readonly epochs: () => readonly AuditedEpoch[];
  /** Nothing will be asked of this epoch any more. */
  readonly forget: (epoch: AuditedEpoch) => void;
};

export const placeKey = (index: bigint, place: number): string => `${index}:${place}`;

export type FollowAuditsOptions = {
  readonly access: ChainAccess;
  /** Only epochs of this provider. */
  readonly provider?: Address;
  /** First block that is read. */
  readonly fromBlock: bigint;
};

export function followAudits(options: FollowAuditsOptions): AuditFollower {
  const { access, fromBlock } = options;
  const { read } = access;
  const epochs = new Map<string, AuditedEpoch>();
  let next = fromBlock;
  let seen: { readonly number: bigint; readonly hash: Hex } | undefined;
  const isReorganised = async (): Promise<boolean> => {
    if (seen === undefined) return false;
    const block = await read.getBlock({ blockNumber: seen.number }).catch(() => undefined);
    return block?.hash !== seen.hash;
  };
  const refresh = async (): Promise<void> => {
    const { number: head, hash } = await read.getBlock();
    if (seen?.hash === hash) return;
    if (await isReorganised()) {
      epochs.clear();
      next = fromBlock;
    }
    for (const range of blockRanges(next, head)) {
      await readRange(options, range, epochs);
      next = range.toBlock + 1n;
    }
    seen = { number: head, hash };
  };
  return {
    refresh,
    epochs: () => [...epochs.values()],
    forget: (epoch) => void epochs.delete(epochKey(epoch)),
  };
}

type Epochs = Map<string, AuditedEpoch>;

const epochKey = (of: { readonly provider: Address; readonly epoch: bigint }): string =>
  `${of.provider.toLowerCase()}:${of.epoch}`;

async function readRange(
  { access, provider }: FollowAuditsOptions,
  range: BlockRange,
  epochs: Epochs,
): Promise<void> {
  const { receipts, audits } = access.deployment.addresses;
  const posted = await access.read.getContractEvents({
    address: receipts,
    abi: receiptsAbi,
    eventName: 'EpochPosted',
    args: provider === undefined ? {} : { provider },
    strict: true,
    ...range,
  });
  for (const { args, blockNumber } of posted) {
    const { provider: by, epoch, root, count } = args;
    const known = { provider: by, epoch, root, count, postedBlock: blockNumber };
    const nothing = { draw: undefined, reports: new Map(), answers: new Map() };
    epochs.set(epochKey(known), { ...known, ...nothing });
    const [oldest] = epochs.keys();
    if (epochs.size > EPOCHS_MAX) epochs.delete(oldest!);
  }
  const events = await access.read.getContractEvents({
    address: audits,
    abi: auditsAbi,
    strict: true,
    ...range,
  });
  for (const event of events) apply(epochs, event);
}

/** Folds one event into what is known; epochs that are not followed are passed over. */
function apply(epochs: Epochs, event: AuditEvent): void {
  if (!('epoch' in event.args)) return;
  const known = epochs.get(epochKey(event.args));
  if (known === undefined) return;
  if (event.eventName === 'EpochDrawn') known.draw = event.args.draw;
  else if (event.eventName === 'AuditAnswered') {
    const { jobId, root } = event.args;
    known.answers.set(event.args.index, { jobId, root });
  } else if ('place' in event.args) applyReport(known, event as ReportEvent);
}

type ReportEvent = Extract<
  AuditEvent,
  { eventName: 'ReportCommitted' | 'ReportRevealed' | 'ReportSettled' }
>;

function applyReport({ reports }: AuditedEpoch, event: ReportEvent): void {
  const { holder, index, place } = event.args;
  const key = placeKey(index, place);
  const known = reports.get(key) ?? { holder, finding: 0, root: undefined, outcome: 0 };
  if (event.eventName === 'ReportCommitted') {
    reports.set(key, { ...known, stage: 'committed' });
  } else if (event.eventName === 'ReportRevealed') {
    const { finding, root } = event.args;
    reports.set(key, { ...known, finding, root, stage: 'revealed' });
  } else {
    const { finding, outcome } = event.args;
    reports.set(key, { ...known, finding, outcome, stage: 'settled' });
  }
}
