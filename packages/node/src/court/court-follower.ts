/**
 * What a court has done, read from its events: open disputes with their state and what was shown last, and verdicts.
 * The chain is asked for what is new since the last look; nothing is stored, so a restart reads everything again.
 */
import {
  type CourtTerms,
  type CourtVerdict,
  type Dispute,
  openedDispute,
  readCourtTerms,
} from '@assay/compute';
import type { Hex } from '@assay/protocol';
import { courtAbi } from '@assay/protocol/abi';
import { type BlockRange, rangesUntilNow } from '../block-ranges.js';
import type { ChainAccess } from '../chain-access.js';

/** One step of a case, as people read it. */
export type CourtStep = {
  readonly name: string;
  readonly jobId: Hex;
  readonly block: bigint;
  readonly transaction: Hex;
  /** Arguments of the event. */
  readonly detail: Readonly<Record<string, unknown>>;
};

export type OpenDispute = {
  readonly dispute: Dispute;
  /** Nodes that the provider showed last. */
  readonly children: readonly Hex[];
  /** Nodes that it has shown so far, in order, with the place where they hang. */
  readonly shown: readonly Shown[];
  /** Leaves that it has shown. */
  readonly leaves: readonly ShownLeaf[];
};

/** Nodes and the state after they were shown: its place is the node that they hang under. */
export type Shown = {
  readonly dispute: Dispute;
  readonly children: readonly Hex[];
  /** Of the position, where the walk entered its rows. */
  readonly salt?: Hex;
};
export type ShownLeaf = { readonly dispute: Dispute; readonly data: Hex };

export type VerdictRecord = {
  readonly verdict: CourtVerdict;
  readonly kind: number;
  readonly released:
    | { readonly refund: bigint; readonly bounty: bigint; readonly kept: bigint }
    | undefined;
};

export type CourtFollower = {
  readonly terms: CourtTerms;
  /** Reads what is new. */
  readonly refresh: () => Promise<void>;
  readonly disputes: () => readonly OpenDispute[];
  readonly verdicts: () => readonly VerdictRecord[];
  readonly steps: (jobId?: Hex) => readonly CourtStep[];
};

export async function followCourt(
  access: ChainAccess,
  { rangeBlocks }: { readonly rangeBlocks?: bigint } = {},
): Promise<CourtFollower> {
  const { read, deployment } = access;
  const terms = await readCourtTerms(read, deployment.addresses.court);
  const disputes = new Map<string, OpenDispute>();
  const verdicts = new Map<Hex, VerdictRecord>();
  const steps: CourtStep[] = [];
  let next = BigInt(deployment.startBlock);
  let running: Promise<void> | undefined;
  const refresh = async (): Promise<void> => {
    for (const range of await rangesUntilNow(read, next, rangeBlocks)) await readRange(range);
  };
  /** Folds the events of some blocks; what was folded is not read again, also if a later range fails. */
  const readRange = async (range: BlockRange): Promise<void> => {
    const events = await read.getContractEvents({
      address: deployment.addresses.court,
      abi: courtAbi,
      strict: true,
      ...range,
    });
    for (const event of events) {
      const openedAt =
        event.eventName === 'Opened'
          ? (await read.getBlock({ blockNumber: event.blockNumber })).timestamp
          : 0n;
      apply({ event, openedAt, terms, disputes, verdicts });
      const detail = event.args as Readonly<Record<string, unknown>>;
      const jobId = detail.jobId as Hex | undefined;
      if (jobId !== undefined)
        steps.push({
          name: event.eventName,
          jobId,
          block: event.blockNumber,
          transaction: event.transactionHash,
          detail,
        });
    }
    next = range.toBlock + 1n;
  };
  const follower: CourtFollower = {
    terms,
    refresh: () => {
      running ??= refresh().finally(() => {
        running = undefined;
      });
      return running;
    },
    disputes: () => [...disputes.values()],
    verdicts: () => [...verdicts.values()],
    steps: (jobId) => steps.filter((step) => jobId === undefined || step.jobId === jobId),
  };
  await follower.refresh();
  return follower;
}

type CourtEvents = Awaited<
  ReturnType<
    typeof import('viem/actions').getContractEvents<undefined, typeof courtAbi, undefined, true>
  >
>;

type Application = {
  readonly event: CourtEvents[number];
  readonly openedAt: bigint;
  readonly terms: CourtTerms;
  readonly disputes: Map<string, OpenDispute>;
  readonly verdicts: Map<Hex, VerdictRecord>;
};

/** Folds one event into what is known. */
function apply({ event, openedAt, terms, disputes, verdicts }: Application): void {
  if (event.eventName === 'Convicted') {
    const { jobId, kind, verdict } = event.args;
    verdicts.set(jobId, { verdict: { ...verdict }, kind, released: undefined });
    return;
  }
  if (event.eventName === 'Released') {
    const { jobId, refund, bounty, kept } = event.args;
    const record = verdicts.get(jobId);
    if (record !== undefined)
      verdicts.set(jobId, { ...record, released: { refund, bounty, kept } });
    return;
  }
  if (event.eventName === 'BountyClaimed') {
    const { jobId, verdict } = event.args;
    verdicts.set(jobId, { ...verdicts.get(jobId)!, verdict: { ...verdict } });
    return;
  }
  applyToDispute({ event, openedAt, terms, disputes });
}

function applyToDispute({ event, openedAt, terms, disputes }: Omit<Application, 'verdicts'>): void {
  if (!('challenger' in event.args)) return;
  const key = `${event.args.jobId}:${event.args.challenger}`.toLowerCase();
  if (event.eventName === 'Dismissed' || event.eventName === 'BondReturned') {
    disputes.delete(key);
    return;
  }
  if (event.eventName === 'Opened') {
    const dispute = openedDispute({ ...event.args, openedAt }, terms);
    disputes.set(key, { dispute, children: [], shown: [], leaves: [] });
    return;
  }
  const known = disputes.get(key);
  if (known === undefined || !('dispute' in event.args)) return;
  const dispute = event.args.dispute as Dispute;
  const { args } = event;
  if ('children' in args) {
    const { children } = args;
    const salt = 'salt' in args ? { salt: args.salt } : {};
    disputes.set(key, {
      ...known,
      dispute,
      children,
      shown: [...known.shown, { dispute, children, ...salt }],
    });
  } else if ('data' in args) {
    disputes.set(key, {
      ...known,
      dispute,
      leaves: [...known.leaves, { dispute, data: args.data }],
    });
  } else {
    disputes.set(key, { ...known, dispute });
  }
}
