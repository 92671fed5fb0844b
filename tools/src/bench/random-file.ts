/**
 * A model file of about 135 million random weights in Q8_0, for speed alone: neither engine's arithmetic cares what
 * the weights say. Made once into the system's temporary folder; the same bytes everywhere, as all comes from one
 * seed.
 */
import { existsSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  float32ToFloat16,
  type GgufMetadata,
  type GgufValue,
  llamaGraph,
  type ModelConfig,
  mulberry32,
  RESIDUAL_BITS_DEFAULT,
  ROPE_STEPS_NAME,
  type TensorToWrite,
  writeGguf,
} from '@assay/engine';

/** A well-known small model's shape. */
export const MODEL_135M: ModelConfig = {
  layerCount: 30,
  width: 576,
  headCount: 9,
  kvHeadCount: 3,
  headSize: 64,
  feedForwardWidth: 1536,
  vocabularySize: 49_152,
  contextLength: 2048,
  ropeBase: 10_000,
  rmsEpsilon: 1e-5,
  residualBits: RESIDUAL_BITS_DEFAULT,
};

const FILE = join(tmpdir(), 'assay-bench-135m-1.gguf');
const BLOCK_SIZE = 32;
const BLOCK_BYTES = 34;

/** Path of the file; made unless it is there (a second or two). */
export function randomFile(): string {
  if (existsSync(FILE) && statSync(FILE).size > MODEL_135M.vocabularySize) return FILE;
  const unfinished = `${FILE}.${process.pid}`;
  writeFileSync(unfinished, randomGguf(MODEL_135M));
  renameSync(unfinished, FILE);
  return FILE;
}

/** Weights of a model that a token of prefill multiplies with, and those of its logits. */
export function macsPerToken(config: ModelConfig): {
  readonly body: number;
  readonly head: number;
} {
  const { layerCount, width, headCount, kvHeadCount, headSize, feedForwardWidth } = config;
  const attention = 2 * width * headSize * (headCount + kvHeadCount);
  return {
    body: layerCount * (attention + 3 * width * feedForwardWidth),
    head: width * config.vocabularySize,
  };
}

/** Bytes of the weights that one token of decoding must read in Q8_0: all of them. */
export const bytesPerToken = (config: ModelConfig): number => {
  const { body, head } = macsPerToken(config);
  return ((body + head) * BLOCK_BYTES) / BLOCK_SIZE;
};

function randomGguf(config: ModelConfig): Uint8Array {
  const next = mulberry32(1);
  const tensors = llamaGraph(config)
    .weights.filter(({ name }) => name !== ROPE_STEPS_NAME)
    .map(({ name, kind, shape }): TensorToWrite => {
      const dims = [...shape].reverse();
      return kind === 'W8'
        ? { name, dims, type: 'Q8_0', bytes: randomBlocks(next, shape[0]!, shape[1]!) }
        : { name, dims, type: 'F32', bytes: ones(shape[0]!) };
    });
  return writeGguf({ metadata: describe(config), tensors });
}

/** Random quants with a scale that keeps a row's product about as large as its input. */
function randomBlocks(next: () => number, rows: number, cols: number): Uint8Array {
  const bytes = new Uint8Array((rows * cols * BLOCK_BYTES) / BLOCK_SIZE);
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = next();
  const scale = float32ToFloat16(1 / (74 * Math.sqrt(cols)));
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    bytes[at] = scale & 0xff;
    bytes[at + 1] = scale >> 8;
  }
  return bytes;
}

const ones = (count: number): Uint8Array =>
  new Uint8Array(Float32Array.from({ length: count }, () => 1).buffer);

/** Sizes, and a vocabulary of words without meaning, since other engines refuse a file that has none. */
function describe(config: ModelConfig): GgufMetadata {
  const count = (value: number): GgufValue => ({ type: 'uint32', value });
  const real = (value: number): GgufValue => ({ type: 'float32', value });
  return new Map<string, GgufValue>([
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['general.file_type', count(7)],
    ['general.quantization_version', count(2)],
    ['llama.block_count', count(config.layerCount)],
    ['llama.context_length', count(config.contextLength)],
    ['llama.embedding_length', count(config.width)],
    ['llama.feed_forward_length', count(config.feedForwardWidth)],
    ['llama.attention.head_count', count(config.headCount)],
    ['llama.attention.head_count_kv', count(config.kvHeadCount)],
    ['llama.rope.dimension_count', count(config.headSize)],
    ['llama.rope.freq_base', real(config.ropeBase)],
    ['llama.attention.layer_norm_rms_epsilon', real(Math.fround(config.rmsEpsilon))],
    ['llama.vocab_size', count(config.vocabularySize)],
    ...wordVocabulary(config.vocabularySize),
  ]);
}

/** A tokenizer of words without meaning. */
export function wordVocabulary(size: number): GgufMetadata {
  const count = (value: number): GgufValue => ({ type: 'uint32', value });
  const words = Array.from({ length: size }, (_, id) => vocabularyWord(id));
  return new Map<string, GgufValue>([
    ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
    ['tokenizer.ggml.tokens', { type: 'array', element: 'string', value: words }],
    [
      'tokenizer.ggml.scores',
      { type: 'array', element: 'float32', value: wordScores(words.length) },
    ],
    [
      'tokenizer.ggml.token_type',
      { type: 'array', element: 'int32', value: wordKinds(words.length) },
    ],
    ['tokenizer.ggml.unknown_token_id', count(0)],
    ['tokenizer.ggml.bos_token_id', count(1)],
    ['tokenizer.ggml.eos_token_id', count(2)],
  ]);
}

/** Three special tokens, 256 bytes, then words. */
const FIRST_WORD = 3 + 256;

const vocabularyWord = (id: number): string =>
  id < 3
    ? ['<unk>', '<s>', '</s>'][id]!
    : id < FIRST_WORD
      ? `<0x${(id - 3).toString(16).toUpperCase().padStart(2, '0')}>`
      : `w${id}`;

const wordScores = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, id) => -id);
const wordKinds = (count: number): Int32Array =>
  Int32Array.from({ length: count }, (_, id) => tokenKind(id));

/** llama.cpp's numbers: 1 normal, 2 unknown, 3 control, 6 byte. */
const tokenKind = (id: number): number => (id === 0 ? 2 : id < 3 ? 3 : id < FIRST_WORD ? 6 : 1);
