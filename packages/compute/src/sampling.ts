/**
 * The one place where a job's committed sampler and controls meet the engine; provider, verifier and page all call it.
 * It knows grammars only as masks over token ids: who can open one is handed in.
 */
import {
  controlLogits,
  createHistory,
  embedRows,
  type HiddenRow,
  logprobsOf,
  nextToken,
} from '@assay/engine';
import { AssayError, type Controls, fromHex, type Pooling, type Sampler } from '@assay/protocol';

/** Chooses the token at absolute `position` (prompt included) from its row of Q16 logits, without controls. */
export function sampleToken(logits: Int32Array, sampler: Sampler, position: number): number {
  return nextToken(logits, sampler, fromHex(sampler.seed), position);
}

/** Which ids a grammar allows next; the room `model` opens one for a vocabulary (`tokenMasks`). */
export type GrammarMask = {
  /** One byte per id, 0 for those that may not come next. */
  readonly allowed: () => Uint8Array;
  readonly accept: (id: number) => void;
};

export type OpenMask = (options: {
  readonly grammar: Uint8Array;
  readonly stopIds: readonly number[];
  readonly outputCountMax: number;
}) => GrammarMask;

export type ChooserOptions = {
  readonly sampler: Sampler;
  readonly controls: Controls;
  readonly inputTokens: readonly number[];
  readonly outputCountMax: number;
  /** Needed by jobs with a grammar. */
  readonly openMask?: OpenMask | undefined;
};

/** A token, and the bytes that the controls ask for about it (usually none). */
export type Choice = { readonly token: number; readonly detail: Uint8Array };

/** Chooses the tokens of one answer, one after the other. */
export type Chooser = {
  /** Tokens accepted so far. */
  readonly count: () => number;
  /** The token that comes next, from the row of its position. */
  readonly choose: (logits: Int32Array) => Choice;
  /** Appends a token to the answer: what comes next may depend on it. */
  readonly accept: (token: number) => void;
};

/**
 * @example
 * const chooser = createChooser({ sampler, controls, inputTokens, outputCountMax, openMask: tokenMasks(tokenizer) });
 * const { token } = chooser.choose(row);
 * chooser.accept(token);
 */
export function createChooser(options: ChooserOptions): Chooser {
  const { sampler, controls, inputTokens } = options;
  const seed = fromHex(sampler.seed);
  const mask = openMaskOf(options);
  const changesLogits = mask !== undefined || controlsLogits(controls);
  const history = createHistory(changesLogits ? inputTokens : []);
  let count = 0;
  return {
    count: () => count,
    choose(logits) {
      const row = changesLogits
        ? controlLogits(logits, { controls, history, mask: mask?.allowed() })
        : logits;
      const token = nextToken(row, sampler, seed, inputTokens.length + count);
      return { token, detail: detailOf(logits, token, controls) };
    },
    accept(token) {
      count++;
      if (changesLogits) history.append(token);
      mask?.accept(token);
    },
  };
}

const controlsLogits = ({ repetition, presence, frequency, bias }: Controls): boolean =>
  repetition !== 65_536 || presence !== 0 || frequency !== 0 || bias.length > 0;

function openMaskOf(options: ChooserOptions): GrammarMask | undefined {
  const { controls, openMask, outputCountMax } = options;
  if (controls.grammar === undefined) return undefined;
  if (openMask === undefined) throw grammarUnknown(controls.grammar.length);
  const { stopIds } = options.sampler;
  return openMask({ grammar: controls.grammar, stopIds, outputCountMax });
}

/** i32 of the token's own log probability, then u32 id and i32 of each of the likeliest, big-endian. */
function detailOf(logits: Int32Array, token: number, { topLogprobs }: Controls): Uint8Array {
  if (topLogprobs === undefined) return NO_DETAIL;
  const { chosen, top } = logprobsOf(logits, token, Math.min(topLogprobs, logits.length));
  // A vocabulary smaller than the count leaves zeros: every token has as many bytes.
  const bytes = new Uint8Array(4 + 8 * topLogprobs);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, chosen.logprob);
  for (const [index, { id, logprob }] of top.entries()) {
    view.setUint32(4 + 8 * index, id);
    view.setInt32(8 + 8 * index, logprob);
  }
  return bytes;
}

const NO_DETAIL = new Uint8Array(0);

/** Bytes of the embedding of a prompt: i32 per element, big-endian, in Q30. */
export function embeddingBytes(rows: readonly HiddenRow[], pooling: Pooling): Uint8Array {
  const vector = embedRows(rows, pooling);
  const bytes = new Uint8Array(4 * vector.length);
  const view = new DataView(bytes.buffer);
  vector.forEach((element, index) => {
    view.setInt32(4 * index, element);
  });
  return bytes;
}

const grammarUnknown = (size: number): AssayError =>
  new AssayError({
    code: 'grammar_unknown',
    fault: 'platform',
    message: 'The job has a grammar, and nobody here can open it.',
    value: String(size),
    remedy: 'Hand `tokenMasks(tokenizer)` of the model to whoever chooses tokens.',
  });
