/**
 * The provider's duty in audits: it shows the tokens of a drawn receipt to the verifiers that were drawn, to nobody
 * else, keeps its trace to itself while they commit themselves, and afterwards says on chain which trace it stands by.
 */
import {
  type AuditTerms,
  answerAudit,
  auditDeadlines,
  auditedIndices,
  readAuditTerms,
  type Signer,
  type TraceSource,
} from '@assay/compute';
import {
  computeDomain,
  concat,
  fromHex,
  type Hex,
  hashReceipt,
  hashTrace,
  keccak,
  merkleProof,
  merkleRoot,
  type ReceiptEnvelope,
  toHex,
} from '@assay/protocol';
import type { ChainAccess } from '../chain-access.js';
import type { Logger } from '../log.js';
import type { ProviderLedger } from '../stores/provider-store.js';
import { type AuditedEpoch, type AuditFollower, followAudits } from './audit-follower.js';
import { chainTime } from './chain-time.js';
import { hasTrace } from './has-trace.js';
import { type LookLoop, startLookLoop } from './look-loop.js';

export type AuditDutyOptions = {
  readonly access: ChainAccess;
  readonly store: ProviderLedger;
  readonly source: (envelope: ReceiptEnvelope) => TraceSource;
  readonly signer: Signer;
  readonly log: Logger;
  /** Between two looks at the chain. */
  readonly intervalMs: number;
};

/** A drawn receipt, with its place in the epoch. */
export type AuditedReceipt = { readonly envelope: ReceiptEnvelope; readonly proof: readonly Hex[] };

export type AuditDuty = LookLoop & {
  /** Seconds until commitments about this receipt close; undefined if none are open. */
  readonly openFor: (jobId: Hex) => Promise<number | undefined>;
  /** A drawn and audited receipt; undefined for any other. */
  readonly find: (epoch: bigint, index: bigint) => Promise<AuditedReceipt | undefined>;
};

/** Note under which the first block is kept that still matters. */
const BLOCK_NOTE = 'audit_block';

/** The audited receipts of one epoch, and the leaves under its root. */
type Drawn = {
  readonly leaves: readonly Uint8Array[];
  /** By index. */
  readonly audited: ReadonlyMap<bigint, ReceiptEnvelope>;
};

export function startAuditDuty(options: AuditDutyOptions): AuditDuty {
  const { look, openFor, find } = createDuty(options);
  return { openFor, find, ...startLookLoop(look, { ...options, name: 'audits' }) };
}

type Duty = Pick<AuditDuty, 'openFor' | 'find'> & { readonly look: () => Promise<void> };

function createDuty(options: AuditDutyOptions): Duty {
  const { access, store } = options;
  const { startBlock } = access.deployment;
  const follower = followAudits({
    access,
    provider: access.write.account.address,
    fromBlock: BigInt(store.readNote(BLOCK_NOTE) ?? startBlock),
  });
  const terms = once(() => readAuditTerms(access.read, access.deployment.addresses.audits));
  const drawn = new Map<bigint, Drawn>();
  const seenAtMs = new Map<bigint, number>();
  const tried = new Set<Hex>();
  /** Drawn epochs as they are now. */
  const refreshed = async (): Promise<AuditTerms> => {
    const known = await terms();
    await follower.refresh();
    for (const epoch of follower.epochs()) {
      if (!seenAtMs.has(epoch.epoch)) seenAtMs.set(epoch.epoch, Date.now());
      if (epoch.draw !== undefined && !drawn.has(epoch.epoch))
        drawn.set(epoch.epoch, drawnReceipts(options, epoch, known));
    }
    return known;
  };
  return {
    async look() {
      const known = await refreshed();
      const now = await chainTime(access);
      for (const epoch of follower.epochs()) {
        const isOver = isEpochOver(epoch, {
          terms: known,
          now,
          seenAtMs: seenAtMs.get(epoch.epoch)!,
        });
        if (isOver) {
          follower.forget(epoch);
          drawn.delete(epoch.epoch);
          seenAtMs.delete(epoch.epoch);
        } else if (epoch.draw !== undefined && now > auditDeadlines(epoch.draw, known).commit)
          await answerEpoch(options, { epoch, drawn: drawn.get(epoch.epoch)!, tried });
      }
      writeBlock(store, follower);
    },
    async openFor(jobId) {
      const known = await refreshed();
      const now = await chainTime(access);
      for (const { epoch, draw } of follower.epochs()) {
        const left = draw === undefined ? -1n : auditDeadlines(draw, known).commit - now;
        const audited = [...(drawn.get(epoch)?.audited.values() ?? [])];
        if (left >= 0n && audited.some((one) => one.jobId === jobId)) return Number(left) + 1;
      }
      return undefined;
    },
    async find(epoch, index) {
      await refreshed();
      const { leaves, audited } = drawn.get(epoch) ?? {};
      const envelope = audited?.get(index);
      if (leaves === undefined || envelope === undefined) return undefined;
      return { envelope, proof: merkleProof(leaves, Number(index)).map(toHex) };
    },
  };
}

/** Reads a value that never changes once; a failure is tried again. */
function once<T>(read: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    known ??= read().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}

/** Undrawn epochs can be drawn for a while; drawn ones want an answer until reports were shown. */
function isEpochOver(
  { draw }: AuditedEpoch,
  at: { readonly terms: AuditTerms; readonly now: bigint; readonly seenAtMs: number },
): boolean {
  if (draw !== undefined) return at.now > auditDeadlines(draw, at.terms).reveal;
  return Date.now() - at.seenAtMs > at.terms.drawTime * 1_000;
}

/** After a restart, everything from the oldest open epoch on is read again. */
function writeBlock(store: ProviderLedger, follower: AuditFollower): void {
  const [oldest] = follower.epochs();
  if (oldest !== undefined) store.writeNote(BLOCK_NOTE, String(oldest.postedBlock));
}

/** The last receipts up to the epoch's number are those that it holds; its root says whether that is so. */
function drawnReceipts(
  { access, store, log }: AuditDutyOptions,
  { epoch, root, count, draw }: AuditedEpoch,
  terms: AuditTerms,
): Drawn {
  const { market } = access;
  const domain = computeDomain(market.chainId, market.receipts);
  const receipts = store.receiptsUpTo(Number(epoch), Number(count));
  const leaves = receipts.map(({ envelope }) => fromHex(hashReceipt(domain, envelope.receipt)));
  if (toHex(merkleRoot(leaves)) !== root) {
    log.error({ epoch: String(epoch) }, 'the receipts of this epoch are not those kept here');
    return { leaves: [], audited: new Map() };
  }
  const audited = auditedIndices(draw!, terms.rate);
  return {
    leaves,
    audited: new Map(audited.map((index) => [index, receipts[Number(index)]!.envelope])),
  };
}

type Answering = {
  readonly epoch: AuditedEpoch;
  readonly drawn: Drawn;
  /** Jobs whose failure is in the log already. */
  readonly tried: Set<Hex>;
};

async function answerEpoch(options: AuditDutyOptions, answering: Answering): Promise<void> {
  const { epoch, drawn, tried } = answering;
  for (const [index, envelope] of drawn.audited) {
    if (epoch.answers.has(index)) continue;
    const { jobId } = envelope;
    try {
      await answerOne(options, answering, index);
      options.log.info({ jobId }, 'answered an audit');
    } catch (error) {
      // Answered in a block that was not read yet.
      if ((error as { code?: unknown }).code === 'already_answered') continue;
      if (!tried.has(jobId))
        options.log.warn({ jobId, error: String(error) }, 'audit not answered, trying again');
      tried.add(jobId);
    }
  }
}

const NO_TRACE = new TextEncoder().encode('assay no trace');

/**
 * What a provider stands by where there is no trace: 32 bytes that nobody can guess, so that whoever says of such a
 * receipt that it is right, and makes up a root, loses its bond. Nothing opens them, and the judges refuse such jobs.
 * Two signed roots of one job convict: this one is always the same, because signatures are (RFC 6979).
 */
async function rootOfNothing(signer: Signer, jobId: Hex): Promise<Hex> {
  const secret = await signer.sign({ hash: toHex(keccak(concat([NO_TRACE, fromHex(jobId)]))) });
  return toHex(keccak(fromHex(secret)));
}

async function answerOne(
  { access, source, signer }: AuditDutyOptions,
  { epoch, drawn }: Answering,
  index: bigint,
): Promise<void> {
  const envelope = drawn.audited.get(index)!;
  const { jobId, receipt, chainId, contract } = envelope;
  const root = hasTrace(envelope)
    ? toHex(await source(envelope).root())
    : await rootOfNothing(signer, jobId);
  const hash = hashTrace(computeDomain(chainId, contract), { jobId, root });
  const proof = merkleProof(drawn.leaves, Number(index)).map(toHex);
  await answerAudit(access.write, {
    audits: access.deployment.addresses.audits,
    posted: { provider: epoch.provider, epoch: epoch.epoch, index, receipt, proof },
    trace: { root, signature: await signer.sign({ hash }) },
  });
}
