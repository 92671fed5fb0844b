/**
 * What a verifier says about a receipt: it re-computes every token, and the root of the whole trace, which nobody
 * knows who did not run the model. What no court could judge, it does not judge either.
 */
import { type Finding, traceJob, type Verdict } from '@assay/compute';
import { TRACE_POSITIONS_MAX, tracePositions } from '@assay/engine';
import { decodeControls, fromHex, type Hex, type ReceiptEnvelope, toHex } from '@assay/protocol';

/** A finding, with the root of the honest trace where there is one. */
export type Judgement = { readonly finding: Finding; readonly root: Hex };

export type AuditJudge = (envelope: ReceiptEnvelope) => Promise<Judgement>;

export type AuditJudgeOptions = {
  /** Throws `receipt_invalid` for a receipt that contradicts itself. */
  readonly verify: (envelope: ReceiptEnvelope) => Promise<Verdict>;
  /** Root of the honest trace. */
  readonly traceRoot: (envelope: ReceiptEnvelope) => Promise<Uint8Array>;
};

const NO_ROOT: Hex = `0x${'00'.repeat(32)}`;

/** For what cannot be judged. */
export const ABSTAINED: Judgement = { finding: 'abstained', root: NO_ROOT };

export const createAuditJudge =
  ({ verify, traceRoot }: AuditJudgeOptions): AuditJudge =>
  async (envelope) => {
    if (!hasJudge(envelope)) return ABSTAINED;
    const verdict = await verify(envelope).catch((error: unknown) => {
      // Tokens that do not fit the receipt are not the ones that were asked for: they count as withheld.
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

/** False for embeddings, for answers without a token, and for what is longer than a trace. */
function hasJudge({ job, receipt, controls }: ReceiptEnvelope): boolean {
  const isEmbedding = decodeControls(fromHex(controls ?? '0x')).pooling !== undefined;
  if (isEmbedding || receipt.outputCount === 0) return false;
  return tracePositions(traceJob(job, receipt)) <= TRACE_POSITIONS_MAX;
}
