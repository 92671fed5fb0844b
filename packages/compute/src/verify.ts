/**
 * Re-execution of a receipt: one teacher-forced pass over prompt and answer, and every sampled token compared, or the
 * embedding. Knows no disk, no network; the caller gives a session on the model that the job names.
 */
import type { HiddenRow, Session } from '@assay/engine';
import { type Controls, decodeControls, fromHex, type ReceiptEnvelope } from '@assay/protocol';
import { receiptInvalid } from './errors.js';
import { assertEvidence } from './evidence.js';
import {
  type Chooser,
  type ChooserOptions,
  createChooser,
  embeddingBytes,
  type OpenMask,
} from './sampling.js';

/** What re-execution found; `position` counts output tokens from 0. */
export type Verdict =
  | { readonly result: 'identical'; readonly tokens: number }
  | {
      readonly result: 'different';
      readonly position: number;
      readonly expected: number;
      readonly found: number;
      /**
       * Absent when tokens differ. Else what does: a number reported with a token, or an element (at `position`) of an
       * embedding; `expected` and `found` are the 32-bit words, in two's complement.
       */
      readonly part?: 'logprobs' | 'embedding';
    };

/** Rows of logits computed at once: bounds memory to this many times the vocabulary. */
const VERIFY_CHUNK_TOKENS = 32;

export type VerifyOptions = {
  readonly envelope: ReceiptEnvelope;
  /** An empty session on the model `envelope.job.modelId`. */
  readonly session: Session;
  /** Opens grammars for that model's vocabulary (`tokenMasks` of the room `model`). */
  readonly openMask?: OpenMask | undefined;
  /** Called with the share done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
};

/** First token of the answer that the model would not have chosen, if there is one. */
export function reexecute(options: VerifyOptions): Verdict {
  const controls = decodeControls(fromHex(options.envelope.controls ?? '0x'));
  return controls.pooling === undefined
    ? replayAnswer(options, controls)
    : replayEmbedding(options, controls.pooling);
}

function replayAnswer(options: VerifyOptions, controls: Controls): Verdict {
  const { envelope, session, openMask, onProgress } = options;
  const { job, inputTokens, outputTokens } = envelope;
  const { sampler, outputCountMax } = job;
  const detail = fromHex(envelope.detail ?? '0x');
  const chooser = openChooser({ sampler, controls, inputTokens, outputCountMax, openMask });
  const inputs = [...inputTokens, ...outputTokens.slice(0, -1)];
  // The last token of the prompt gives the first of the answer: one pass takes both, so weights are read once for them.
  let done = 0;
  for (let start = 0; start < outputTokens.length; start += VERIFY_CHUNK_TOKENS) {
    const count = Math.min(VERIFY_CHUNK_TOKENS, outputTokens.length - start);
    const end = inputTokens.length + start + count - 1;
    const logits = session.forward(inputs.slice(done, end), { logits: count });
    done = end;
    const width = logits.length / count;
    for (let row = 0; row < count; row++) {
      const position = start + row;
      const choice = chooser.choose(logits.subarray(row * width, (row + 1) * width));
      const found = outputTokens[position]!;
      if (choice.token !== found)
        return { result: 'different', position, expected: choice.token, found };
      const size = choice.detail.length;
      const reported = detail.subarray(position * size, (position + 1) * size);
      const other = firstDifference(choice.detail, reported);
      if (other !== undefined)
        return { result: 'different', position, ...other.words, part: 'logprobs' };
      chooser.accept(found);
    }
    onProgress?.((start + count) / outputTokens.length);
  }
  return { result: 'identical', tokens: outputTokens.length };
}

/** A grammar that nobody can follow makes a receipt that nobody can have earned. */
function openChooser(options: ChooserOptions): Chooser {
  try {
    return createChooser(options);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== 'string' || !UNUSABLE_GRAMMAR.has(code)) throw error;
    throw receiptInvalid(message, options.controls.grammar?.length);
  }
}

/** Codes of the room `model` for grammars that have no answer. */
const UNUSABLE_GRAMMAR = new Set([
  'grammar_invalid',
  'grammar_too_large',
  'grammar_too_complex',
  'grammar_unfit',
]);

function replayEmbedding(
  { envelope, session, onProgress }: VerifyOptions,
  pooling: NonNullable<Controls['pooling']>,
): Verdict {
  const rows: HiddenRow[] = [];
  for (let start = 0; start < envelope.inputTokens.length; start += VERIFY_CHUNK_TOKENS) {
    rows.push(
      ...hiddenRows(session, envelope.inputTokens.slice(start, start + VERIFY_CHUNK_TOKENS)),
    );
    onProgress?.(rows.length / envelope.inputTokens.length);
  }
  const other = firstDifference(embeddingBytes(rows, pooling), fromHex(envelope.detail ?? '0x'));
  if (other === undefined) return { result: 'identical', tokens: 0 };
  return { result: 'different', position: other.word, ...other.words, part: 'embedding' };
}

/** Appends tokens and gives their final-norm rows, apart. */
export function hiddenRows(session: Session, tokens: readonly number[]): readonly HiddenRow[] {
  const { mantissas, exponents } = session.forwardHidden(tokens, 'all');
  const width = mantissas.length / tokens.length;
  return tokens.map((_, row) => ({
    mantissas: mantissas.slice(row * width, (row + 1) * width),
    exponent: exponents[row]!,
  }));
}

/** Index of the first 32-bit word that differs, and both values; a missing word counts as 0. */
function firstDifference(
  expected: Uint8Array,
  found: Uint8Array,
): { readonly word: number; readonly words: { expected: number; found: number } } | undefined {
  const sizeMax = Math.max(expected.length, found.length);
  for (let at = 0; at < sizeMax; at += 4) {
    const words = { expected: wordAt(expected, at), found: wordAt(found, at) };
    if (words.expected !== words.found || at >= Math.min(expected.length, found.length))
      return { word: at / 4, words };
  }
  return undefined;
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  at + 4 <= bytes.length
    ? new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at)
    : 0;

/** Evidence first ({@link assertEvidence}, throws `receipt_invalid`), then {@link reexecute}. */
export async function verifyReceipt(options: VerifyOptions): Promise<Verdict> {
  await assertEvidence(options.envelope);
  return reexecute(options);
}
