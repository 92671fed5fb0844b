/**
 * Disputes as `GET /v1/disputes` and the page show them: what the court's events say, joined with what the verifier of
 * this network found when it recomputed the receipt. The court is right about states and money; the verifier only adds
 * which number was wrong.
 */
import { phaseOf } from '@assay/compute';
import type { Hex } from '@assay/protocol';
import type { ChainAccess } from '../chain-access.js';
import { type CourtFollower, followCourt } from '../court/court-follower.js';
import type { Logger } from '../log.js';
import { fetchJson } from '../peers/http-client.js';

export type DisputeView = {
  /** One document per job, the newest last; amounts in atomic units as decimal strings. */
  readonly list: () => Promise<readonly DisputeDocument[]>;
};

export type DisputeDocument = {
  readonly jobId: Hex;
  readonly provider: Hex;
  /** A phase while the court waits for a move, then `convicted`, then `paid`; `dismissed` if the challenger lost. */
  readonly state: string;
  readonly kind: number | null;
  readonly steps: readonly {
    readonly name: string;
    readonly block: number;
    readonly transaction: Hex;
  }[];
  readonly money: {
    readonly taken: string;
    readonly refund: string;
    readonly bounty: string;
    readonly kept: string;
  } | null;
  /** What the verifier wrote down: the finding, and the gas of its transactions. */
  readonly case: unknown;
};

/** A page that asks again and again is answered from the last look. */
const FRESH_MS = 1_000;

/** Time for the verifier to say which cases it has. */
const CASES_TIMEOUT_MS = 2_000;

export function createDisputeView(options: {
  readonly access: ChainAccess;
  readonly verifierUrl: string | undefined;
  readonly log: Logger;
}): DisputeView {
  const { access, verifierUrl, log } = options;
  let follower: Promise<CourtFollower> | undefined;
  let last:
    | { readonly atMs: number; readonly list: Promise<readonly DisputeDocument[]> }
    | undefined;
  const read = async (): Promise<readonly DisputeDocument[]> => {
    follower ??= followCourt(access);
    const court = await follower.catch((error: unknown) => {
      follower = undefined;
      throw error;
    });
    await court.refresh();
    return documentsOf(court, await readCases(verifierUrl, log));
  };
  return {
    list: () => {
      if (last === undefined || Date.now() - last.atMs > FRESH_MS)
        last = { atMs: Date.now(), list: read() };
      return last.list;
    },
  };
}

type Case = { readonly jobId?: string };

async function readCases(url: string | undefined, log: Logger): Promise<readonly Case[]> {
  if (url === undefined) return [];
  try {
    const answer = await fetchJson({ url: `${url}/v1/cases`, timeoutMs: CASES_TIMEOUT_MS });
    const { cases } = answer as { cases?: unknown };
    return Array.isArray(cases) ? (cases as Case[]) : [];
  } catch (error) {
    log.warn({ error: String(error) }, 'the verifier does not say which cases it has');
    return [];
  }
}

function documentsOf(court: CourtFollower, cases: readonly Case[]): readonly DisputeDocument[] {
  const jobs = [...new Set(court.steps().map(({ jobId }) => jobId))];
  return jobs.map((jobId) => {
    const steps = court.steps(jobId);
    const verdict = court.verdicts().find((one) => one.verdict.jobId === jobId);
    const open = court.disputes().find(({ dispute }) => dispute.jobId === jobId);
    const provider = (verdict?.verdict.provider ??
      open?.dispute.provider ??
      steps[0]!.detail.provider) as Hex;
    const { refund = 0n, bounty = 0n, kept = 0n } = verdict?.released ?? {};
    return {
      jobId,
      provider,
      state: stateOf(verdict, open),
      kind: verdict?.kind ?? null,
      steps: steps.map(({ name, block, transaction }) => ({
        name,
        block: Number(block),
        transaction,
      })),
      money:
        verdict === undefined
          ? null
          : {
              taken: String(verdict.verdict.taken),
              refund: String(refund),
              bounty: String(bounty),
              kept: String(kept),
            },
      case: cases.find((one) => one.jobId?.toLowerCase() === jobId.toLowerCase()) ?? null,
    };
  });
}

function stateOf(
  verdict: ReturnType<CourtFollower['verdicts']>[number] | undefined,
  open: ReturnType<CourtFollower['disputes']>[number] | undefined,
): string {
  if (verdict !== undefined) return verdict.released === undefined ? 'convicted' : 'paid';
  return open === undefined ? 'dismissed' : phaseOf(open.dispute);
}
