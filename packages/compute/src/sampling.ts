/** The one place where a job's committed sampler meets the engine; provider, verifier and page all call it. */
import { nextToken } from '@assay/engine';
import { fromHex, type Sampler } from '@assay/protocol';

/** Chooses the token at absolute `position` (prompt included) from its row of Q16 logits. */
export function sampleToken(logits: Int32Array, sampler: Sampler, position: number): number {
  return nextToken(logits, sampler, fromHex(sampler.seed), position);
}
