/** Which jobs have a trace: the court can judge what was computed in these, and in no others. */
import { traceJob } from '@assay/compute';
import { TRACE_POSITIONS_MAX, tracePositions } from '@assay/engine';
import { decodeControls, fromHex, type ReceiptEnvelope } from '@assay/protocol';

/** False for embeddings, for answers without a token, and for what is longer than a trace. */
export function hasTrace({ job, receipt, controls }: ReceiptEnvelope): boolean {
  const isEmbedding = decodeControls(fromHex(controls ?? '0x')).pooling !== undefined;
  if (isEmbedding || receipt.outputCount === 0) return false;
  return tracePositions(traceJob(job, receipt)) <= TRACE_POSITIONS_MAX;
}
