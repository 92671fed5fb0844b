/** Log probabilities as a provider reports them (arithmetic.md, section 7.2), in the shape that OpenAI clients read. */
import type { OpenedModel } from './model-catalog.js';

export type Likelihood = {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
};

export type TokenLogprob = Likelihood & { readonly top_logprobs: readonly Likelihood[] };

/** Log probabilities are in Q16, so they are exact as numbers. */
const ONE = 65_536;

/** An id and its log probability. */
const ENTRY_BYTES = 8;

/** What the bytes of one token say: its own log probability, then id and log probability of the likeliest. */
export function readLogprob(model: OpenedModel, token: number, detail: Uint8Array): TokenLogprob {
  const view = new DataView(detail.buffer, detail.byteOffset, detail.length);
  const top: Likelihood[] = [];
  // A vocabulary smaller than the count leaves zeros at the end.
  const count = Math.min((detail.length - 4) / ENTRY_BYTES, model.vocabularySize);
  for (let index = 0; index < count; index++) {
    const at = 4 + ENTRY_BYTES * index;
    top.push(likelihood(model, view.getUint32(at), view.getInt32(at + 4)));
  }
  return { ...likelihood(model, token, view.getInt32(0)), top_logprobs: top };
}

function likelihood(model: OpenedModel, id: number, logprob: number): Likelihood {
  const bytes = model.tokenBytes(id);
  return { token: new TextDecoder().decode(bytes), logprob: logprob / ONE, bytes: [...bytes] };
}
