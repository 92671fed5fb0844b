/**
 * Re-execution of a receipt: one teacher-forced pass over prompt and answer, and every sampled token compared. Knows
 * no disk, no network; the caller gives a session on the model that the job names.
 */
import type { Session } from '@assay/engine';
import type { ReceiptEnvelope } from '@assay/protocol';
import { assertEvidence } from './evidence.js';
import { sampleToken } from './sampling.js';

/** What re-execution found; `position` counts output tokens from 0. */
export type Verdict =
  | { readonly result: 'identical'; readonly tokens: number }
  | {
      readonly result: 'different';
      readonly position: number;
      readonly expected: number;
      readonly found: number;
    };

/** Rows of logits computed at once: bounds memory to this many times the vocabulary. */
const VERIFY_CHUNK_TOKENS = 32;

export type VerifyOptions = {
  readonly envelope: ReceiptEnvelope;
  /** An empty session on the model `envelope.job.modelId`. */
  readonly session: Session;
  /** Called with the share done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
};

/** First token of the answer that the model would not have chosen, if there is one. */
export function reexecute({ envelope, session, onProgress }: VerifyOptions): Verdict {
  const { job, inputTokens, outputTokens } = envelope;
  session.forward(inputTokens.slice(0, -1), { logits: 'none' });
  const inputs = [...inputTokens.slice(-1), ...outputTokens.slice(0, -1)];
  for (let start = 0; start < outputTokens.length; start += VERIFY_CHUNK_TOKENS) {
    const chunk = inputs.slice(start, Math.min(start + VERIFY_CHUNK_TOKENS, outputTokens.length));
    const logits = session.forward(chunk, { logits: 'all' });
    const width = logits.length / chunk.length;
    for (let row = 0; row < chunk.length; row++) {
      const position = start + row;
      const rowLogits = logits.subarray(row * width, (row + 1) * width);
      const expected = sampleToken(rowLogits, job.sampler, inputTokens.length + position);
      const found = outputTokens[position]!;
      if (expected !== found) return { result: 'different', position, expected, found };
    }
    onProgress?.((start + chunk.length) / outputTokens.length);
  }
  return { result: 'identical', tokens: outputTokens.length };
}

/** Evidence first ({@link assertEvidence}, throws `receipt_invalid`), then {@link reexecute}. */
export async function verifyReceipt(options: VerifyOptions): Promise<Verdict> {
  await assertEvidence(options.envelope);
  return reexecute(options);
}
