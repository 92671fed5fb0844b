/**
 * What a provider lets guess the next tokens (`--draft`): repetition of the prompt, or a smaller model. Guesses are
 * checked by the exact engine, so this changes speed only, and no receipt tells of it.
 */
import { readFileSync } from 'node:fs';
import {
  type Backend,
  drafterOf,
  lookupDraft,
  modelDrafter,
  type OpenDrafter,
} from '@assay/engine';
import { openModelFile } from '@assay/model';
import { AssayError } from '@assay/protocol';

/** The word that asks for repetition instead of a file. */
export const DRAFT_LOOKUP = 'lookup';

export function openDraft(options: {
  readonly draft: string | undefined;
  readonly backend: Backend;
  readonly vocabularySize: number;
}): OpenDrafter | undefined {
  const { draft, backend, vocabularySize } = options;
  if (draft === undefined) return undefined;
  if (draft === DRAFT_LOOKUP) return drafterOf(lookupDraft);
  const { model } = openModelFile(readFileSync(draft));
  if (model.config.vocabularySize !== vocabularySize)
    throw vocabularyDiffers(model.config.vocabularySize, vocabularySize);
  return modelDrafter(() => backend.createSession(model));
}

const vocabularyDiffers = (found: number, wanted: number): AssayError =>
  new AssayError({
    code: 'draft_model_unfit',
    fault: 'user',
    message: `The draft model has ${found} token ids, the served one has ${wanted}.`,
    value: String(found),
    remedy: 'Draft with a model of the same tokenizer, or with --draft lookup.',
  });
