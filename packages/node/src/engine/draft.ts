/**
 * What a provider lets guess the next tokens (`--draft`): repetition of the prompt, or a smaller model. Guesses are
 * checked by the exact engine, so this changes speed only, and no receipt tells of it.
 */
import {
  type Backend,
  drafterOf,
  type EngineModel,
  lookupDraft,
  modelDrafter,
  type OpenDrafter,
  relativeCost,
} from '@assay/engine';
import { openModelFile } from '@assay/model';
import { AssayError } from '@assay/protocol';
import { openFileSource } from '../file-source.js';

/** The word that asks for repetition instead of a file. */
export const DRAFT_LOOKUP = 'lookup';

export function openDraft(options: {
  readonly draft: string | undefined;
  readonly backend: Backend;
  readonly model: EngineModel;
}): OpenDrafter | undefined {
  const { draft, backend } = options;
  const { vocabularySize } = options.model.config;
  if (draft === undefined) return undefined;
  if (draft === DRAFT_LOOKUP) return drafterOf(lookupDraft);
  const { model } = openModelFile(openFileSource(draft));
  if (model.config.vocabularySize !== vocabularySize)
    throw vocabularyDiffers(model.config.vocabularySize, vocabularySize);
  const cost = relativeCost(model, options.model);
  return modelDrafter({ openSession: () => backend.createSession(model), cost });
}

const vocabularyDiffers = (found: number, wanted: number): AssayError =>
  new AssayError({
    code: 'draft_model_unfit',
    fault: 'user',
    message: `The draft model has ${found} token ids, the served one has ${wanted}.`,
    value: String(found),
    remedy: 'Draft with a model of the same tokenizer, or with --draft lookup.',
  });
