/**
 * Controls: everything besides the sampler that changes what a job gives, as canonical bytes whose hash is in the job
 * (`Sampler.controls`). They travel with the job and in its receipt's envelope, so that whoever re-computes the answer
 * applies the same rules. This module knows the bytes; the arithmetic is the engine's, the grammar's meaning `model`'s.
 * One set of controls has one encoding: a section that changes nothing is left out, and decoding refuses it.
 */
import { AssayError, printValue } from './errors.js';
import { keccak } from './hash.js';
import { type Hex, toHex } from './hex.js';
import { NO_CONTROLS } from './typed-data.js';

/** How the rows of a prompt become one vector: their sum, or the last of them. */
export const POOLING = { mean: 1, last: 2 } as const;
export type Pooling = keyof typeof POOLING;

/** What may be controlled; numbers are integers on the grids of arithmetic.md, section 7. */
export type Controls = {
  /** Q16 divisor of positive logits of ids in prompt or answer, multiplier of negative ones; 2^16 is off. */
  readonly repetition: number;
  /** Q16, taken once from the logit of every id in the answer. */
  readonly presence: number;
  /** Q16, taken from an id's logit once for each time it is in the answer. */
  readonly frequency: number;
  /** Q16 added to the logits of ids, ids ascending. */
  readonly bias: readonly (readonly [id: number, amount: number])[];
  /** Canonical bytes of a grammar (docs/reference/grammar.md). */
  readonly grammar?: Uint8Array;
  /** The provider reports the log probability of each token and of this many of the likeliest. */
  readonly topLogprobs?: number;
  /** The job gives an embedding of its prompt and no tokens. */
  readonly pooling?: Pooling;
};

export const DEFAULT_CONTROLS: Controls = {
  repetition: 65_536,
  presence: 0,
  frequency: 0,
  bias: [],
};

/** Controls of one job; a grammar of a large schema has some thousand bytes. */
export const CONTROLS_BYTES_MAX = 65_536;

/** Biased ids per job; OpenAI takes 300. */
export const BIAS_COUNT_MAX = 1_024;

/** As OpenAI. */
export const TOP_LOGPROBS_MAX = 20;

/** What a receipt commits to besides tokens, in bytes: keeps envelopes below what a verifier reads. */
export const DETAIL_BYTES_MAX = 1_048_576;

/** Layout's version; first byte of every encoding that is not empty. */
const VERSION = 1;
const TAG = {
  repetition: 1,
  presence: 2,
  frequency: 3,
  bias: 4,
  grammar: 5,
  logprobs: 6,
  pooling: 7,
};
const INT32_MAX = 2 ** 31 - 1;
const UINT32_MAX = 2 ** 32 - 1;

/** The canonical bytes; empty if nothing is controlled. */
export function encodeControls(controls: Controls): Uint8Array {
  checkControls(controls);
  const { repetition, presence, frequency, bias, grammar, topLogprobs, pooling } = controls;
  const body: number[] = [];
  const section = (tag: number, bytes: ArrayLike<number>): void => {
    body.push(tag, ...word(bytes.length));
    for (let i = 0; i < bytes.length; i++) body.push(bytes[i]!);
  };
  if (repetition !== DEFAULT_CONTROLS.repetition) section(TAG.repetition, word(repetition));
  if (presence !== 0) section(TAG.presence, word(presence));
  if (frequency !== 0) section(TAG.frequency, word(frequency));
  if (bias.length > 0)
    section(
      TAG.bias,
      bias.flatMap(([id, amount]) => [...word(id), ...word(amount)]),
    );
  if (grammar !== undefined) section(TAG.grammar, grammar);
  if (topLogprobs !== undefined) section(TAG.logprobs, [topLogprobs]);
  if (pooling !== undefined) section(TAG.pooling, [POOLING[pooling]]);
  const bytes = Uint8Array.from(body.length === 0 ? [] : [VERSION, ...body]);
  if (bytes.length > CONTROLS_BYTES_MAX) throw controlsInvalid('size', bytes.length);
  return bytes;
}

/** Inverse of {@link encodeControls}; throws `controls_invalid` for bytes that it would not have written. */
export function decodeControls(bytes: Uint8Array): Controls {
  if (bytes.length > CONTROLS_BYTES_MAX) throw controlsInvalid('size', bytes.length);
  if (bytes.length === 0) return DEFAULT_CONTROLS;
  const sections = readSections(bytes);
  const number = (tag: number): number | undefined => signed(sections.get(tag));
  const repetition = number(TAG.repetition);
  const grammar = sections.get(TAG.grammar);
  const topLogprobs = sections.get(TAG.logprobs)?.[0];
  const pooling = readPooling(sections.get(TAG.pooling));
  const controls: Controls = {
    repetition: repetition === undefined ? DEFAULT_CONTROLS.repetition : repetition >>> 0,
    presence: number(TAG.presence) ?? 0,
    frequency: number(TAG.frequency) ?? 0,
    bias: readBias(sections.get(TAG.bias)),
    ...(grammar === undefined ? {} : { grammar }),
    ...(topLogprobs === undefined ? {} : { topLogprobs }),
    ...(pooling === undefined ? {} : { pooling }),
  };
  if (toHex(encodeControls(controls)) !== toHex(bytes))
    throw controlsInvalid('encoding', bytes.length);
  return controls;
}

/** What a job commits to: the hash of the bytes, or zero if there are none. */
export const hashControls = (bytes: Uint8Array): Hex =>
  bytes.length === 0 ? NO_CONTROLS : toHex(keccak(bytes));

/** Bytes of detail that every token of such a job has: its own log probability, and id and value of the likeliest. */
export const detailBytesPerToken = ({ topLogprobs }: Controls): number =>
  topLogprobs === undefined ? 0 : 4 + 8 * topLogprobs;

function checkControls(controls: Controls): void {
  const { repetition, presence, frequency, bias, grammar, topLogprobs, pooling } = controls;
  checkInteger('repetition', repetition, 1, UINT32_MAX);
  checkInteger('presence', presence, -INT32_MAX, INT32_MAX);
  checkInteger('frequency', frequency, -INT32_MAX, INT32_MAX);
  checkInteger('bias', bias.length, 0, BIAS_COUNT_MAX);
  let last = -1;
  for (const [id, amount] of bias) {
    checkInteger('bias id', id, last + 1, UINT32_MAX);
    checkInteger('bias', amount, -INT32_MAX, INT32_MAX);
    if (amount === 0) throw controlsInvalid('bias', amount);
    last = id;
  }
  if (grammar?.length === 0) throw controlsInvalid('grammar', 0);
  if (topLogprobs !== undefined) checkInteger('logprobs', topLogprobs, 0, TOP_LOGPROBS_MAX);
  if (pooling !== undefined && encodesTokens(controls)) throw controlsInvalid('pooling', pooling);
}

/** An embedding chooses no tokens, so nothing about them may be controlled. */
const encodesTokens = ({
  repetition,
  presence,
  frequency,
  bias,
  grammar,
  topLogprobs,
}: Controls): boolean =>
  repetition !== DEFAULT_CONTROLS.repetition ||
  presence !== 0 ||
  frequency !== 0 ||
  bias.length > 0 ||
  grammar !== undefined ||
  topLogprobs !== undefined;

function readSections(bytes: Uint8Array): Map<number, Uint8Array> {
  if (bytes[0] !== VERSION) throw controlsInvalid('version', bytes[0]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const sections = new Map<number, Uint8Array>();
  for (let at = 1; at < bytes.length; ) {
    if (at + 5 > bytes.length) throw controlsInvalid('section', bytes.length);
    const tag = bytes[at]!;
    const end = at + 5 + view.getUint32(at + 1);
    if (end > bytes.length) throw controlsInvalid('section', tag);
    sections.set(tag, bytes.slice(at + 5, end));
    at = end;
  }
  return sections;
}

function readBias(bytes: Uint8Array | undefined): Controls['bias'] {
  const bias: [number, number][] = [];
  if (bytes === undefined) return bias;
  if (bytes.length % 8 !== 0 || bytes.length > 8 * BIAS_COUNT_MAX)
    throw controlsInvalid('bias', bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 8)
    bias.push([view.getUint32(at), view.getInt32(at + 4)]);
  return bias;
}

function readPooling(bytes: Uint8Array | undefined): Pooling | undefined {
  if (bytes === undefined) return undefined;
  const names = Object.keys(POOLING) as Pooling[];
  const name = names.find((candidate) => POOLING[candidate] === bytes[0]);
  if (name === undefined) throw controlsInvalid('pooling', bytes[0]);
  return name;
}

function signed(bytes: Uint8Array | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  if (bytes.length !== 4) throw controlsInvalid('section', bytes.length);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0);
}

/** Four bytes, big-endian; negative numbers in two's complement. */
const word = (value: number): number[] => [
  (value >>> 24) & 255,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) throw controlsInvalid(name, value);
}

const controlsInvalid = (name: string, value: unknown): AssayError =>
  new AssayError({
    code: 'controls_invalid',
    message: `The controls are not valid: ${name}.`,
    fault: 'user',
    value: printValue(value),
    remedy: 'Encode them as docs/reference/messages.md says.',
  });
