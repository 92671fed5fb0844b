/**
 * Writes the trained weights as a GGUF v3 file: Q8_0 matrices, F32 norms, the tokenizer and the
 * chat template, in the vocabulary that llama.cpp reads (architecture "llama", tied embeddings).
 * Bytes out, no disk. Source: the GGUF specification of the ggml project.
 */

import { CHAT_TEMPLATE } from './batch.js';
import { END_OF_TEXT, MESSAGE_END, SPECIALS, type Tokenizer } from './bpe.js';
import { CONTEXT, HEAD_SIZE, listSpans, NORM_EPSILON, ROPE_BASE, type Shape } from './shape.js';

type Value =
  | { readonly type: 'u32' | 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'i32s'; readonly value: readonly number[] };

const VERSION = 3;
const ALIGNMENT = 32;
const TYPE_CODES = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const TENSOR_F32 = 0;
const TENSOR_Q8_0 = 8;
/** ggml's file type "mostly Q8_0". */
const FILE_TYPE_Q8_0 = 7;
const BLOCK = 32;
const BLOCK_BYTES = 34;
const TOKEN_NORMAL = 1;
const TOKEN_CONTROL = 3;

/** The whole file. Equal weights and tokenizer give equal bytes. */
export function writeModelFile(
  parameters: Float32Array,
  options: { readonly shape: Shape; readonly tokenizer: Tokenizer },
): Uint8Array {
  const spans = listSpans(options.shape);
  const metadata = describe(options.shape, options.tokenizer);
  const out = new ByteWriter();
  out.bytes(new TextEncoder().encode('GGUF'));
  out.u32(VERSION);
  out.u64(spans.length);
  out.u64(metadata.length);
  for (const [key, value] of metadata) writeEntry(out, key, value);
  let offset = 0;
  for (const span of spans) {
    const isNorm = span.rows === 1;
    out.string(span.name);
    out.u32(isNorm ? 1 : 2);
    out.u64(span.columns);
    if (!isNorm) out.u64(span.rows);
    out.u32(isNorm ? TENSOR_F32 : TENSOR_Q8_0);
    out.u64(offset);
    offset += roundUp(tensorBytes(span.rows, span.columns));
  }
  out.pad();
  for (const span of spans) {
    const values = parameters.subarray(span.offset, span.offset + span.rows * span.columns);
    if (span.rows === 1) for (const value of values) out.f32(value);
    else out.bytes(quantize(values));
    out.pad();
  }
  return out.finish();
}

/** Q8_0 by ggml's reference rule: scale = largest / 127 in half precision, nearest, ties away. */
export function quantize(values: Float32Array): Uint8Array {
  const out = new DataView(new ArrayBuffer((values.length / BLOCK) * BLOCK_BYTES));
  for (let block = 0; block * BLOCK < values.length; block++) {
    const part = values.subarray(block * BLOCK, (block + 1) * BLOCK);
    const largest = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    out.setUint16(block * BLOCK_BYTES, toHalf(scale), true);
    part.forEach((value, index) => {
      const scaled = Math.fround(value * inverse);
      const nearest = Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5);
      out.setInt8(block * BLOCK_BYTES + 2 + index, nearest);
    });
  }
  return new Uint8Array(out.buffer);
}

/** The values that a reader of the quantised file computes with. */
export function roundTrip(parameters: Float32Array, shape: Shape): Float32Array {
  const result = parameters.slice();
  for (const span of listSpans(shape)) {
    if (span.rows === 1) continue;
    const end = span.offset + span.rows * span.columns;
    const view = new DataView(quantize(parameters.subarray(span.offset, end)).buffer);
    for (let i = 0; span.offset + i < end; i++) {
      const block = Math.floor(i / BLOCK) * BLOCK_BYTES;
      const scale = fromHalf(view.getUint16(block, true));
      result[span.offset + i] = scale * view.getInt8(block + 2 + (i % BLOCK));
    }
  }
  return result;
}

function describe(
  shape: Shape,
  tokenizer: Tokenizer,
): readonly (readonly [string, Value])[] {
  const u32 = (value: number): Value => ({ type: 'u32', value });
  const f32 = (value: number): Value => ({ type: 'f32', value });
  const string = (value: string): Value => ({ type: 'string', value });
  const special = SPECIALS as readonly string[];
  const kinds = tokenizer.tokens.map((token) =>
    special.includes(token) ? TOKEN_CONTROL : TOKEN_NORMAL,
  );
  return [
    ['general.architecture', string('llama')],
    ['general.name', string('Assay Mini')],
    ['general.basename', string('assay-mini')],
    ['general.organization', string('Assay')],
    ['general.license', string('apache-2.0')],
    ['general.description', string('A small model that answers questions about Assay.')],
    ['general.file_type', u32(FILE_TYPE_Q8_0)],
    ['general.quantization_version', u32(2)],
    ['llama.context_length', u32(CONTEXT)],
    ['llama.embedding_length', u32(shape.width)],
    ['llama.block_count', u32(shape.layers)],
    ['llama.feed_forward_length', u32(shape.hidden)],
    ['llama.attention.head_count', u32(shape.heads)],
    ['llama.attention.head_count_kv', u32(shape.kvHeads)],
    ['llama.attention.key_length', u32(HEAD_SIZE)],
    ['llama.attention.value_length', u32(HEAD_SIZE)],
    ['llama.attention.layer_norm_rms_epsilon', f32(NORM_EPSILON)],
    ['llama.rope.dimension_count', u32(HEAD_SIZE)],
    ['llama.rope.freq_base', f32(ROPE_BASE)],
    ['llama.vocab_size', u32(shape.vocabulary)],
    ['tokenizer.ggml.model', string('gpt2')],
    ['tokenizer.ggml.pre', string('gpt-2')],
    ['tokenizer.ggml.tokens', { type: 'strings', value: tokenizer.tokens }],
    ['tokenizer.ggml.token_type', { type: 'i32s', value: kinds }],
    ['tokenizer.ggml.merges', { type: 'strings', value: tokenizer.merges }],
    ['tokenizer.ggml.bos_token_id', u32(tokenizer.special(END_OF_TEXT))],
    ['tokenizer.ggml.eos_token_id', u32(tokenizer.special(MESSAGE_END))],
    ['tokenizer.ggml.padding_token_id', u32(tokenizer.special(END_OF_TEXT))],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ['tokenizer.chat_template', string(CHAT_TEMPLATE)],
  ];
}

function writeEntry(out: ByteWriter, key: string, entry: Value): void {
  out.string(key);
  if (entry.type === 'strings') {
    out.array(TYPE_CODES.string, entry.value.length);
    for (const item of entry.value) out.string(item);
    return;
  }
  if (entry.type === 'i32s') {
    out.array(TYPE_CODES.i32, entry.value.length);
    for (const item of entry.value) out.u32(item);
    return;
  }
  out.u32(TYPE_CODES[entry.type]);
  if (entry.type === 'string') out.string(entry.value);
  else if (entry.type === 'bool') out.bytes(Uint8Array.of(entry.value ? 1 : 0));
  else if (entry.type === 'f32') out.f32(entry.value);
  else out.u32(entry.value);
}

function tensorBytes(rows: number, columns: number): number {
  return rows === 1 ? 4 * columns : ((rows * columns) / BLOCK) * BLOCK_BYTES;
}

function roundUp(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/** Nearest half-precision number of a non-negative float in the normal or subnormal range. */
function toHalf(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const exponent = (bits >>> 23) - 127 + 15;
  if (exponent >= 31) throw new Error(`a scale of ${value} is too large for half precision`);
  // Subnormal halves count in units of 2^-24; the product is exact, ties go to even.
  if (exponent <= 0) return roundEven(value * 2 ** 24);
  return roundEven((exponent * 2 ** 23 + (bits & 0x7fffff)) / 2 ** 13);
}

function fromHalf(bits: number): number {
  const exponent = bits >>> 10;
  const fraction = bits & 0x3ff;
  return exponent === 0 ? fraction / 2 ** 24 : (1024 + fraction) * 2 ** (exponent - 25);
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest > 0.5 ? floor + 1 : floor;
}

/** Little-endian bytes that grow. */
class ByteWriter {
  private data = new Uint8Array(1 << 16);
  private length = 0;

  bytes(source: Uint8Array): void {
    this.reserve(source.length);
    this.data.set(source, this.length);
    this.length += source.length;
  }

  u32(value: number): void {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, value, true);
    this.bytes(new Uint8Array(view.buffer));
  }

  u64(value: number): void {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value), true);
    this.bytes(new Uint8Array(view.buffer));
  }

  f32(value: number): void {
    const view = new DataView(new ArrayBuffer(4));
    view.setFloat32(0, value, true);
    this.bytes(new Uint8Array(view.buffer));
  }

  string(text: string): void {
    const encoded = new TextEncoder().encode(text);
    this.u64(encoded.length);
    this.bytes(encoded);
  }

  array(elementType: number, count: number): void {
    this.u32(TYPE_CODES.array);
    this.u32(elementType);
    this.u64(count);
  }

  pad(): void {
    this.bytes(new Uint8Array(roundUp(this.length) - this.length));
  }

  finish(): Uint8Array {
    return this.data.slice(0, this.length);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.data.length) return;
    const larger = new Uint8Array(Math.max(2 * this.data.length, this.length + count));
    larger.set(this.data.subarray(0, this.length));
    this.data = larger;
  }
}
