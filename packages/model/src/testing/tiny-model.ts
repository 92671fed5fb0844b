/**
 * A complete, valid model file of a few hundred kilobytes with random weights, for tests of every room: byte-level BPE
 * with a few merges, control entries, a ChatML template, two layers. It says nothing sensible, but it says it exactly.
 */
import { encodeTensor, type GgufMetadata, type GgufValue, writeGguf } from '@assay/engine';
import { BYTE_CHARACTERS } from '../byte-alphabet.js';
import { ENTRY_TYPE } from '../vocabulary.js';
import type { ToyVocabulary } from './toy-vocabulary.js';

export type TinyModelOptions = {
  /** Chooses the weights; the same seed gives the same bytes for ever. Default 1. */
  readonly seed?: number;
  /** Another vocabulary than the built-in one. */
  readonly vocabulary?: ToyVocabulary;
  /** Replaces or adds metadata; undefined removes a key. */
  readonly metadata?: ReadonlyMap<string, GgufValue | undefined>;
};

const WIDTH = 64;
const LAYER_COUNT = 2;
const HEAD_COUNT = 4;
const KV_HEAD_COUNT = 2;
const HEAD_SIZE = WIDTH / HEAD_COUNT;
const FEED_FORWARD_WIDTH = 96;
const CONTEXT_LENGTH = 512;

/** Entries after the 256 bytes; control entries first, so that their ids do not depend on the merges. */
const CONTROL_ENTRIES = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;
/** Words are joined pair by pair, as training would have done. */
const WORDS = [
  'Ġthe',
  'Ġa',
  'ing',
  'er',
  'user',
  'assistant',
  'system',
  'Hello',
  'Ġworld',
] as const;

/** The template of {@link tinyModelFile}: ChatML, one block per message. */
export const TINY_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content']" +
  " + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/**
 * Bytes of the file.
 *
 * @example
 * const { model, tokenizer } = openModelFile(tinyModelFile({ seed: 7 }));
 */
export function tinyModelFile(options: TinyModelOptions = {}): Uint8Array {
  const vocabulary = options.vocabulary ?? tinyVocabulary();
  const metadata = new Map([...describeModel(vocabulary), ...describeText(vocabulary)]);
  for (const [key, value] of options.metadata ?? []) {
    if (value === undefined) metadata.delete(key);
    else metadata.set(key, value);
  }
  const random = randomNumbers(options.seed ?? 1);
  const matrix = (name: string, rows: number, cols: number) => ({
    name,
    dims: [cols, rows],
    type: 'Q8_0',
    bytes: encodeTensor('Q8_0', random(rows * cols, 1 / Math.sqrt(cols))),
  });
  const gains = (name: string) => ({
    name,
    dims: [WIDTH],
    type: 'F32',
    bytes: encodeTensor(
      'F32',
      random(WIDTH, 0.125).map((value) => 1 + value),
    ),
  });
  const layers = Array.from({ length: LAYER_COUNT }, (_, layer) => [
    gains(`blk.${layer}.attn_norm.weight`),
    matrix(`blk.${layer}.attn_q.weight`, HEAD_COUNT * HEAD_SIZE, WIDTH),
    matrix(`blk.${layer}.attn_k.weight`, KV_HEAD_COUNT * HEAD_SIZE, WIDTH),
    matrix(`blk.${layer}.attn_v.weight`, KV_HEAD_COUNT * HEAD_SIZE, WIDTH),
    matrix(`blk.${layer}.attn_output.weight`, WIDTH, HEAD_COUNT * HEAD_SIZE),
    gains(`blk.${layer}.ffn_norm.weight`),
    matrix(`blk.${layer}.ffn_gate.weight`, FEED_FORWARD_WIDTH, WIDTH),
    matrix(`blk.${layer}.ffn_up.weight`, FEED_FORWARD_WIDTH, WIDTH),
    matrix(`blk.${layer}.ffn_down.weight`, WIDTH, FEED_FORWARD_WIDTH),
  ]);
  const embedding = matrix('token_embd.weight', vocabulary.entries.length, WIDTH);
  return writeGguf({
    metadata,
    tensors: [embedding, ...layers.flat(), gains('output_norm.weight')],
  });
}

/** The 256 bytes, control entries, then the words with every step towards them. */
function tinyVocabulary(): ToyVocabulary {
  const entries: string[] = [...BYTE_CHARACTERS, ...CONTROL_ENTRIES];
  const merges: string[] = [];
  for (const word of WORDS) {
    for (let length = 2; length <= word.length; length++) {
      const entry = word.slice(0, length);
      if (entries.includes(entry)) continue;
      entries.push(entry);
      merges.push(`${word.slice(0, length - 1)} ${word[length - 1]}`);
    }
  }
  const isControl = (entry: string) => (CONTROL_ENTRIES as readonly string[]).includes(entry);
  const types = entries.map((entry) => (isControl(entry) ? ENTRY_TYPE.control : ENTRY_TYPE.normal));
  return { kind: 'gpt2', wordRule: 'gpt-2', entries, types, merges, scores: [] };
}

const uint32 = (value: number): GgufValue => ({ type: 'uint32', value });
const text = (value: string): GgufValue => ({ type: 'string', value });
const texts = (value: readonly string[]): GgufValue => ({
  type: 'array',
  element: 'string',
  value,
});

function describeModel(vocabulary: ToyVocabulary): GgufMetadata {
  return new Map<string, GgufValue>([
    ['general.architecture', text('llama')],
    ['general.name', text('Tiny Random')],
    ['llama.block_count', uint32(LAYER_COUNT)],
    ['llama.context_length', uint32(CONTEXT_LENGTH)],
    ['llama.embedding_length', uint32(WIDTH)],
    ['llama.feed_forward_length', uint32(FEED_FORWARD_WIDTH)],
    ['llama.attention.head_count', uint32(HEAD_COUNT)],
    ['llama.attention.head_count_kv', uint32(KV_HEAD_COUNT)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: Math.fround(1e-5) }],
    ['llama.rope.dimension_count', uint32(HEAD_SIZE)],
    ['llama.rope.freq_base', { type: 'float32', value: 10_000 }],
    ['llama.vocab_size', uint32(vocabulary.entries.length)],
  ]);
}

function describeText(vocabulary: ToyVocabulary): GgufMetadata {
  const { kind, entries } = vocabulary;
  const hasScores = kind !== 'gpt2';
  const [bos, eos] = hasScores ? ['<s>', '</s>'] : ['<|endoftext|>', '<|im_end|>'];
  const types = Int32Array.from(vocabulary.types);
  const scores = Float32Array.from(vocabulary.scores);
  const cutting: [string, GgufValue] = hasScores
    ? ['tokenizer.ggml.scores', { type: 'array', element: 'float32', value: scores }]
    : ['tokenizer.ggml.merges', texts(vocabulary.merges)];
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', text(kind)],
    ['tokenizer.ggml.pre', text(vocabulary.wordRule)],
    ['tokenizer.ggml.tokens', texts(entries)],
    ['tokenizer.ggml.token_type', { type: 'array', element: 'int32', value: types }],
    cutting,
    ['tokenizer.ggml.bos_token_id', uint32(entries.indexOf(bos!))],
    ['tokenizer.ggml.eos_token_id', uint32(entries.indexOf(eos!))],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ['tokenizer.chat_template', text(TINY_TEMPLATE)],
  ]);
}

/** Sums of four uniform numbers, scaled to the wanted deviation: xorshift32 (Marsaglia 2003), exact everywhere. */
function randomNumbers(seed: number) {
  let state = seed >>> 0 || 1;
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
  // Four uniforms on [-0.5, 0.5) have variance 4/12.
  return (count: number, deviation: number): Float32Array =>
    Float32Array.from(
      { length: count },
      () => (uniform() + uniform() + uniform() + uniform()) * Math.sqrt(3) * deviation,
    );
}
