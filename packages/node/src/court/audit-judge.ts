/**
 * What a verifier says about a receipt: it re-computes every token, and the root of the whole trace, which nobody
 * knows who did not run the model. What no court could judge, it does not judge either.
 */
import { type Finding, type Network, provableReceiptFraud, type Verdict } from '@assay/compute';
import { type Hex, type ReceiptEnvelope, toHex } from '@assay/protocol';
import { hasTrace } from './has-trace.js';

/** A finding, with the root of the honest trace where there is one. */
export type Judgement = { readonly finding: Finding; readonly root: Hex };

/** A drawn receipt, and until when verifiers show what they found; Unix seconds. */
export type Audited = { readonly envelope: ReceiptEnvelope; readonly revealEnds: bigint };

export type AuditJudge = (audited: Audited) => Promise<Judgement>;

export type AuditJudgeOptions = {
  readonly network: Network;
  /** Seconds after the end of a job in which a dispute about it can be opened. */
  readonly courtWindow: number;
  /** Throws `receipt_invalid` for a receipt that contradicts itself. */
  readonly verify: (envelope: ReceiptEnvelope) => Promise<Verdict>;
  /** Root of the honest trace. */
  readonly traceRoot: (envelope: ReceiptEnvelope) => Promise<Uint8Array>;
};

/** From the end of an audit: the provider computes a trace, or lets the time for it pass, and a dispute is opened. */
const BRING_SECONDS = 1_800n;

const NO_ROOT: Hex = `0x${'00'.repeat(32)}`;

/** For what cannot be judged. */
export const ABSTAINED: Judgement = { finding: 'abstained', root: NO_ROOT };

/** For receipts that convict by themselves, whatever was computed: there is no root to find. */
const CONTRADICTORY: Judgement = { finding: 'wrong', root: NO_ROOT };

export const createAuditJudge =
  ({ verify, traceRoot, network, courtWindow }: AuditJudgeOptions): AuditJudge =>
  async ({ envelope, revealEnds }) => {
    if ((await provableReceiptFraud(envelope, network)) !== undefined) return CONTRADICTORY;
    const disputableUntil = envelope.job.expiresAt + BigInt(courtWindow);
    // Who is silent about a trace is made to speak by a dispute; too late for one, a finding cannot be defended.
    if (disputableUntil < revealEnds + BRING_SECONDS || !hasTrace(envelope)) return ABSTAINED;
    const verdict = await verify(envelope).catch((error: unknown) => {
      // No court convicts for it: tokens that do not fit the receipt, say, count as withheld.
      if ((error as { code?: unknown }).code === 'receipt_invalid') return undefined;
      throw error;
    });
    if (verdict === undefined) return ABSTAINED;
    const { controls } = envelope.job.sampler;
    const isDifferent = verdict.result === 'different';
    // Of a controlled job the court knows the arithmetic, and not the choice of tokens.
    if (isDifferent && BigInt(controls) !== 0n) return ABSTAINED;
    const finding = isDifferent ? 'wrong' : 'right';
    return { finding, root: toHex(await traceRoot(envelope)) };
  };
