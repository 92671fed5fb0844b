/**
 * The trained weights as a model file: Q8_0 matrices, F32 norms, tokenizer and chat
 * template, in the vocabulary that llama.cpp reads (architecture "llama", tied embeddings). Bytes
 * out; the layout of the format is the engine's business.
 */

import { encodeTensor, type GgufMetadata, type GgufValue, writeGguf } from '@assay/engine';
import { CHAT_TEMPLATE } from './batch.js';
import { END_OF_TEXT, MESSAGE_END, SPECIALS, type Tokenizer } from './bpe.js';
import { CONTEXT, HEAD_SIZE, listSpans, NORM_EPSILON, ROPE_BASE, type Shape } from './shape.js';

/** ggml's file type "mostly Q8_0". */
const FILE_TYPE_Q8_0 = 7;
/** ggml's token types. */
const TOKEN_NORMAL = 1;
const TOKEN_CONTROL = 3;

/** The whole file. Equal weights and tokenizer give equal bytes. */
export function writeModelFile(
  parameters: Float32Array,
  options: { readonly shape: Shape; readonly tokenizer: Tokenizer },
): Uint8Array {
  const tensors = listSpans(options.shape).map((span) => {
    const values = parameters.subarray(span.offset, span.offset + span.rows * span.columns);
    const isNorm = span.rows === 1;
    const type = isNorm ? 'F32' : 'Q8_0';
    const dims = isNorm ? [span.columns] : [span.columns, span.rows];
    return { name: span.name, dims, type, bytes: encodeTensor(type, values) };
  });
  return writeGguf({ metadata: describeModel(options.shape, options.tokenizer), tensors });
}

function describeModel(shape: Shape, tokenizer: Tokenizer): GgufMetadata {
  return new Map<string, GgufValue>([
    ['general.architecture', string('llama')],
    ['general.name', string('Assay Mini')],
    ['general.basename', string('assay-mini')],
    ['general.organization', string('Assay')],
    ['general.license', string('apache-2.0')],
    ['general.description', string('A small model that answers questions about Assay.')],
    ['general.file_type', uint(FILE_TYPE_Q8_0)],
    ['general.quantization_version', uint(2)],
    ['llama.context_length', uint(CONTEXT)],
    ['llama.embedding_length', uint(shape.width)],
    ['llama.block_count', uint(shape.layers)],
    ['llama.feed_forward_length', uint(shape.hidden)],
    ['llama.attention.head_count', uint(shape.heads)],
    ['llama.attention.head_count_kv', uint(shape.kvHeads)],
    ['llama.attention.key_length', uint(HEAD_SIZE)],
    ['llama.attention.value_length', uint(HEAD_SIZE)],
    ['llama.attention.layer_norm_rms_epsilon', { type: 'float32', value: NORM_EPSILON }],
    ['llama.rope.dimension_count', uint(HEAD_SIZE)],
    ['llama.rope.freq_base', { type: 'float32', value: ROPE_BASE }],
    ['llama.vocab_size', uint(shape.vocabulary)],
    ...describeTokenizer(tokenizer),
  ]);
}

function describeTokenizer(tokenizer: Tokenizer): readonly (readonly [string, GgufValue])[] {
  const special = SPECIALS as readonly string[];
  const kinds = tokenizer.tokens.map((token) =>
    special.includes(token) ? TOKEN_CONTROL : TOKEN_NORMAL,
  );
  return [
    ['tokenizer.ggml.model', string('gpt2')],
    ['tokenizer.ggml.pre', string('gpt-2')],
    ['tokenizer.ggml.tokens', { type: 'array', element: 'string', value: tokenizer.tokens }],
    [
      'tokenizer.ggml.token_type',
      { type: 'array', element: 'int32', value: Int32Array.from(kinds) },
    ],
    ['tokenizer.ggml.merges', { type: 'array', element: 'string', value: tokenizer.merges }],
    ['tokenizer.ggml.bos_token_id', uint(tokenizer.special(END_OF_TEXT))],
    ['tokenizer.ggml.eos_token_id', uint(tokenizer.special(MESSAGE_END))],
    ['tokenizer.ggml.padding_token_id', uint(tokenizer.special(END_OF_TEXT))],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ['tokenizer.chat_template', string(CHAT_TEMPLATE)],
  ];
}

function uint(value: number): GgufValue {
  return { type: 'uint32', value };
}

function string(value: string): GgufValue {
  return { type: 'string', value };
}
