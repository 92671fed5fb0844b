/**
 * The check of one receipt, step by step, by whoever calls it: the page's worker does, and so does
 * its test under Node. It is handed the model file's bytes and knows no network; the steps are
 * those of `CHECK_STEPS`.
 */
import { assertEvidence, assertNetwork, type Network, reexecute } from '@assay/compute';
import { type ModelFile, openModelFile, tokenMasks } from '@assay/model';
import { AssayError, type Hex, type ReceiptEnvelope } from '@assay/protocol';
import { formatSeconds } from '../format.js';
import { backend } from './backend.js';
import type { CheckProgress, LocalVerdict } from './messages.js';

/** A model that was opened and found to be the one its id names. */
export type KnownModel = { readonly file: ModelFile; readonly modelId: Hex };

/** Opens a model file and refuses it unless its own content gives `modelId`. */
export function openKnownModel(bytes: Uint8Array, modelId: Hex): KnownModel {
  const file = openModelFile(bytes);
  const found = file.identity.modelId;
  if (found === modelId) return { file, modelId };
  throw new AssayError({
    code: 'model_file_wrong',
    message: 'The model file of the gateway does not give the model id of this receipt.',
    fault: 'peer',
    value: found,
    remedy: 'It is another model, or this page is of another version: reload it and try again.',
  });
}

export type JudgeOptions = {
  readonly envelope: ReceiptEnvelope;
  readonly known: KnownModel;
  /** The network that the receipt must be of. */
  readonly network: Network;
  readonly onProgress: (progress: CheckProgress) => void;
  /** Milliseconds from any origin. */
  readonly now: () => number;
};

/**
 * Evidence, then one teacher-forced pass. A receipt that contradicts itself is a verdict too, not a
 * failure.
 */
export async function judgeReceipt(options: JudgeOptions): Promise<LocalVerdict> {
  const { envelope, known, network, onProgress, now } = options;
  const startMs = now();
  onProgress({ step: 'evidence', share: 0 });
  const reason = await contradiction(envelope, network);
  const text = answerText(known.file, envelope.outputTokens);
  const common = { tokenCount: envelope.outputTokens.length, text };
  const seconds = (): number => (now() - startMs) / 1000;
  if (reason !== undefined) return { result: 'invalid', reason, seconds: seconds(), ...common };
  onProgress({ step: 'evidence', share: 1 });
  const verdict = execute(options);
  const note = `in ${formatSeconds(seconds())}`;
  onProgress({ step: 'execution', share: 1, note });
  if (verdict.result === 'identical') return { result: 'identical', seconds: seconds(), ...common };
  const { position, part } = verdict;
  const shown = (value: number): string =>
    part === undefined ? tokenText(known.file, value) : `${part} ${value}`;
  return {
    result: 'different',
    position,
    expected: shown(verdict.expected),
    found: shown(verdict.found),
    seconds: seconds(),
    ...common,
  };
}

/** Why the receipt cannot be true whatever the model says, or undefined. */
async function contradiction(
  envelope: ReceiptEnvelope,
  network: Network,
): Promise<string | undefined> {
  try {
    assertNetwork(envelope, network);
    await assertEvidence(envelope);
    return undefined;
  } catch (error) {
    if (error instanceof AssayError && error.code === 'receipt_invalid') return error.message;
    throw error;
  }
}

function execute({ envelope, known, onProgress }: JudgeOptions): ReturnType<typeof reexecute> {
  const contextLength = envelope.inputTokens.length + envelope.outputTokens.length;
  const session = backend.createSession(known.file.model, { contextLength });
  try {
    return reexecute({
      envelope,
      session,
      openMask: tokenMasks(known.file.tokenizer),
      onProgress: (share) => onProgress({ step: 'execution', share: Math.min(share, 0.999) }),
    });
  } finally {
    session.dispose();
  }
}

/** A token as text; control tokens by their names. */
const tokenText = ({ tokenizer }: ModelFile, id: number): string =>
  tokenizer.decode([id], { special: true });

/** The answer as a gateway streams it: id by id, control tokens left out. */
function answerText({ tokenizer }: ModelFile, ids: readonly number[]): string {
  const stream = tokenizer.decodeStream();
  return ids.map((id) => stream.push(id)).join('') + stream.end();
}
