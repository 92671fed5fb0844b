/**
 * A verifier with seats: it draws the epochs that were posted, re-computes the receipts that it was drawn for, commits
 * itself, shows what it committed to, and settles. What it is bound to is in the book before the chain hears of it, so
 * a restart at any moment goes on where the last process was.
 */
import { randomBytes } from 'node:crypto';
import { type AuditTerms, auditDeadlines, drawEpoch } from '@assay/compute';
import { type ReceiptEnvelope, toHex } from '@assay/protocol';
import { LOCAL_CHAIN_ID } from '../chain/index.js';
import type { ChainAccess } from '../chain-access.js';
import { inTurn } from '../in-turn.js';
import type { Logger } from '../log.js';
import type { GivenReceipt } from '../peers/audit-peer.js';
import type { AuditBook } from './audit-book.js';
import { type AuditedEpoch, followAudits } from './audit-follower.js';
import { ABSTAINED, type AuditJudge, type Judgement } from './audit-judge.js';
import {
  commitRecord,
  isOver,
  prosecuteIfWrong,
  revealRecord,
  settleRecord,
} from './audit-moves.js';
import { createPlaceFinder, nameOf, type OwnPlace } from './audit-places.js';
import { chainTime } from './chain-time.js';
import { type LookLoop, startLookLoop } from './look-loop.js';

export type AuditorOptions = {
  readonly access: ChainAccess;
  readonly terms: AuditTerms;
  /** Between the block of an epoch and the one that decides about it. */
  readonly beaconBlocks: bigint;
  readonly log: Logger;
  readonly book: AuditBook;
  readonly judge: AuditJudge;
  /** Gets the receipt of a place from its provider. */
  readonly fetchGiven: (place: OwnPlace) => Promise<GivenReceipt>;
  readonly prosecute: (envelope: ReceiptEnvelope) => void;
  /** Between two looks at the chain. */
  readonly intervalMs: number;
};

/** Receipts under way at once, each with its token ids; more wait on chain. */
const PREPARED_MAX = 64;

/** Between two tries to get or to judge a receipt. */
const RETRY_MS = 1_000;

/** Part of the time for commitments after which nothing found so far is said to be nothing found. */
const RESERVE_DIVISOR = 5;
const RESERVE_SECONDS_MAX = 600;

/** A receipt on its way from the provider to a finding. */
type Preparation = { busy: boolean; retryAtMs: number };

/** What an auditor remembers between two looks; all of it can be lost. */
export type Desk = AuditorOptions & {
  readonly preparations: Map<string, Preparation>;
  /** Epochs that nobody can draw any more. */
  readonly closed: WeakSet<AuditedEpoch>;
  /** By receipt: before then there is nothing new to settle. Unix seconds. */
  readonly settleAt: Map<string, bigint>;
  readonly judgeInTurn: AuditJudge;
};

export function startAuditor(options: AuditorOptions): LookLoop {
  const { access, book } = options;
  const desk: Desk = {
    ...options,
    preparations: new Map(),
    closed: new WeakSet(),
    settleAt: new Map(),
    // An engine has all threads that it was given.
    judgeInTurn: inTurn(options.judge),
  };
  const fromBlock = book.readBlock() ?? BigInt(access.deployment.startBlock);
  const follower = followAudits({ access, fromBlock });
  const placesOf = createPlaceFinder(access, options.terms);
  const look = async (): Promise<void> => {
    await follower.refresh();
    const now = await chainTime(access);
    for (const epoch of follower.epochs()) {
      if (epoch.draw === undefined) await drawWhenReady(desk, epoch);
      else {
        const ends = auditDeadlines(epoch.draw, desk.terms);
        const places = await placesOf(epoch);
        for (const place of places) await attend(desk, place, { ends, now });
        if (places.every((place) => isOver(desk, place, { ends, now }))) follower.forget(epoch);
      }
      if (desk.closed.has(epoch)) follower.forget(epoch);
    }
    const [oldest] = follower.epochs();
    if (oldest !== undefined) book.writeBlock(oldest.postedBlock);
  };
  return startLookLoop(look, { ...options, name: 'audits' });
}

// DRAWING

/** Refusals after which nobody can draw this epoch any more. */
const CLOSED = new Set(['draw_closed', 'epoch_unknown']);

/** Draws an epoch once its beacon is there; if somebody else was faster, that is as good. */
async function drawWhenReady(desk: Desk, epoch: AuditedEpoch): Promise<void> {
  const { access, log } = desk;
  const { provider, epoch: number, postedBlock } = epoch;
  const beaconBlock = postedBlock + desk.beaconBlocks;
  // Nodes that estimate do it in the newest block, which cannot be the one that decides.
  if ((await access.read.getBlockNumber()) <= beaconBlock) return sealBlock(access);
  try {
    const { audits } = access.deployment.addresses;
    await drawEpoch(access.write, { audits, provider, epoch: number });
    log.info({ provider, epoch: String(number) }, 'epoch drawn');
  } catch (error) {
    const code = String((error as { code?: unknown }).code);
    if (CLOSED.has(code)) desk.closed.add(epoch);
    else if (code !== 'already_drawn' && code !== 'beacon_not_ready') throw error;
  }
}

/** Our own chain seals blocks only where transactions wait; an empty one to ourselves makes the beacon come. */
async function sealBlock({ market, read, write }: ChainAccess): Promise<void> {
  if (market.chainId !== LOCAL_CHAIN_ID) return;
  const hash = await write.sendTransaction({ to: write.account.address, value: 0n });
  await read.waitForTransactionReceipt({ hash });
}

// ONE PLACE

export type Moment = { readonly ends: ReturnType<typeof auditDeadlines>; readonly now: bigint };

/** Does what is due at a place; what fails is tried again at the next look. */
async function attend(desk: Desk, place: OwnPlace, moment: Moment): Promise<void> {
  const { ends, now } = moment;
  try {
    const record = desk.book.get(nameOf(place));
    if (now <= ends.commit) {
      if (record !== undefined) await commitRecord(desk, place, record);
      else prepare(desk, place, moment);
      return;
    }
    if (record === undefined) return;
    prosecuteIfWrong(desk, place, record);
    if (now <= ends.reveal) await revealRecord(desk, place, record);
    else await settleRecord(desk, place, { record, ...moment });
  } catch (error) {
    const { provider, epoch } = place.epoch;
    const at = { provider, epoch: String(epoch), index: String(place.index), place: place.place };
    desk.log.warn({ ...at, error: String(error) }, 'audit: trying again');
  }
}

/** Gets and judges a receipt in the background; when time runs out, it is said that nothing was found. */
function prepare(desk: Desk, place: OwnPlace, { ends, now }: Moment): void {
  if (now > ends.commit - reserveOf(desk.terms)) {
    writeRecord(desk, place, ABSTAINED);
    return;
  }
  const key = JSON.stringify(nameOf(place));
  const known = desk.preparations.get(key);
  if (known?.busy === true || Date.now() < (known?.retryAtMs ?? 0)) return;
  if (known === undefined && desk.preparations.size >= PREPARED_MAX) return;
  const preparation: Preparation = { busy: true, retryAtMs: 0 };
  desk.preparations.set(key, preparation);
  find(desk, place, ends.reveal).then(
    () => desk.preparations.delete(key),
    (error: unknown) => {
      desk.log.warn({ error: String(error) }, 'audited receipt not judged yet');
      Object.assign(preparation, { busy: false, retryAtMs: Date.now() + RETRY_MS });
    },
  );
}

function reserveOf({ commitTime }: AuditTerms): bigint {
  return BigInt(Math.min(Math.ceil(commitTime / RESERVE_DIVISOR), RESERVE_SECONDS_MAX));
}

async function find(desk: Desk, place: OwnPlace, revealEnds: bigint): Promise<void> {
  const given = await desk.fetchGiven(place);
  const judgement = await desk.judgeInTurn({ envelope: given.envelope, revealEnds });
  writeRecord(desk, place, judgement, given);
}

/** The first finding stays: the chain may have heard of it. */
function writeRecord(
  desk: Desk,
  place: OwnPlace,
  judgement: Judgement,
  given?: GivenReceipt,
): void {
  const name = nameOf(place);
  desk.preparations.delete(JSON.stringify(name));
  if (desk.book.get(name) !== undefined) return;
  const salt = toHex(randomBytes(32));
  desk.book.put({ ...name, ...judgement, salt, ...(given === undefined ? {} : { given }) });
  const jobId = given?.envelope.jobId;
  desk.log.info({ jobId, finding: judgement.finding }, 'audited receipt judged');
}
