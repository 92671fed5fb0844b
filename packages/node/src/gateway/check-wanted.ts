/**
 * What can be wrong with a request only for one model: ids that its vocabulary has not, a grammar that may not end in
 * time. Found here, before a job is signed: a provider would find it, too, and would have to be paid for saying so.
 */
import { AssayError, DETAIL_BYTES_MAX, detailBytesPerToken, STOP_IDS_MAX } from '@assay/protocol';
import type { Wanted } from './buying.js';
import { ParameterError } from './openai-errors.js';
import { wrong } from './request-fields.js';

/** Throws {@link ParameterError} for the first thing that does not fit the model. */
export function checkWanted({ model, sampler, controls, outputCountMax }: Wanted): void {
  const { stopIds } = sampler;
  const foreign = (id: number): boolean => id >= model.vocabularySize;
  const ids = `ids below ${model.vocabularySize}, the size of the vocabulary`;
  for (const id of stopIds) if (foreign(id)) throw wrong('stop_token_ids', ids, id);
  if (stopIds.length > STOP_IDS_MAX)
    throw wrong(
      'stop_token_ids',
      `fewer: ${STOP_IDS_MAX} in all with those of the model`,
      stopIds.length,
    );
  for (const [id] of controls.bias) if (foreign(id)) throw wrong('logit_bias', ids, id);
  const detailSize = detailBytesPerToken(controls) * outputCountMax;
  if (detailSize > DETAIL_BYTES_MAX)
    throw wrong('max_completion_tokens', 'less with logprobs', outputCountMax);
  if (controls.grammar !== undefined)
    checkGrammar(controls.grammar, model, { stopIds, outputCountMax });
}

function checkGrammar(
  grammar: Uint8Array,
  { openMask }: Wanted['model'],
  limits: { readonly stopIds: readonly number[]; readonly outputCountMax: number },
): void {
  try {
    openMask({ grammar, ...limits });
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    const { code, message, value, remedy } = error;
    throw new ParameterError({
      code,
      message,
      param: 'response_format',
      ...(value === undefined ? {} : { value }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
}
