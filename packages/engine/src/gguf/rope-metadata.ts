/**
 * Rotary scaling in a GGUF file: what `{architecture}.rope.scaling.*` and the tensors of factors say, and how a scaling
 * is written back. Keys and defaults are llama.cpp's; a combination that it would compute otherwise is refused.
 */
import { NO_SCALING, type RopeScaling } from '../rope-scaling.js';
import { encodeTensor } from './encode-tensor.js';
import { ggufError } from './gguf-error.js';
import {
  type GgufMetadata,
  type GgufValue,
  metadataCount,
  metadataNumber,
  metadataString,
  required,
} from './metadata.js';
import { type GgufFile, readTensor } from './read-gguf.js';
import type { TensorToWrite } from './write-gguf.js';

/** Divisors of the frequencies, one per pair: Llama 3.1 and its like. */
const FACTORS_NAME = 'rope_freqs.weight';
/** LongRoPE's two lists: up to the original context, and beyond. */
const SHORT_NAME = 'rope_factors_short.weight';
const LONG_NAME = 'rope_factors_long.weight';

/** Tensors that describe rotary positions and have no place in a graph. */
export const ROPE_TENSORS: ReadonlySet<string> = new Set([FACTORS_NAME, SHORT_NAME, LONG_NAME]);

const BETA_FAST_DEFAULT = 32;
const BETA_SLOW_DEFAULT = 1;

/** The scaling of a file; `contextLength` decides between LongRoPE's lists. */
export function ropeScalingOf(
  file: GgufFile,
  architecture: string,
  contextLength: number,
): RopeScaling {
  const key = (name: string) => `${architecture}.rope.${name}`;
  const number = (name: string) => metadataNumber(file.metadata, key(`scaling.${name}`));
  const factor = number('factor') ?? metadataNumber(file.metadata, key('scale_linear')) ?? 0;
  const type =
    metadataString(file.metadata, key('scaling.type')) ?? (factor === 0 ? 'none' : 'linear');
  const factors = readFactors(file, FACTORS_NAME);
  if (factors !== undefined) {
    if (type === 'none' || (type === 'linear' && factor <= 1)) {
      return { kind: 'factors', factors, attentionFactor: 1 };
    }
    throw unsupported(`Rotary scaling ${type} together with ${FACTORS_NAME}`, type);
  }
  if (type === 'none' || (type === 'linear' && (factor === 0 || factor === 1))) return NO_SCALING;
  if (type === 'linear') return { kind: 'linear', factor };
  const originalContext = () =>
    required(
      key('scaling.original_context_length'),
      metadataCount(file.metadata, key('scaling.original_context_length')),
    );
  if (type === 'yarn') {
    refuseUnlike(file.metadata, key);
    return {
      kind: 'yarn',
      factor: required(key('scaling.factor'), factor === 0 ? undefined : factor),
      betaFast: number('yarn_beta_fast') ?? BETA_FAST_DEFAULT,
      betaSlow: number('yarn_beta_slow') ?? BETA_SLOW_DEFAULT,
      originalContext: originalContext(),
    };
  }
  if (type !== 'longrope') throw unsupported(`Rotary scaling ${type}`, type);
  const name = contextLength > originalContext() ? LONG_NAME : SHORT_NAME;
  const list = readFactors(file, name);
  if (list === undefined) throw unsupported(`Rotary scaling longrope without ${name}`, name);
  return { kind: 'factors', factors: list, attentionFactor: number('attn_factor') ?? 1 };
}

/** Settings of YaRN that change its formula, with the value that leaves it as it is. */
const YARN_PLAIN: readonly (readonly [name: string, plain: number])[] = [
  ['scaling.attn_factor', 1],
  ['scaling.yarn_attn_factor', 1],
  ['scaling.yarn_ext_factor', 1],
  ['scaling.yarn_log_multiplier', 0],
];

function refuseUnlike(metadata: GgufMetadata, key: (name: string) => string): void {
  for (const [name, plain] of YARN_PLAIN) {
    const value = metadataNumber(metadata, key(name)) ?? plain;
    if (value !== plain) throw unsupported(`${key(name)} = ${value}`, value);
  }
}

function readFactors(file: GgufFile, name: string): readonly number[] | undefined {
  const tensor = file.tensors.get(name);
  if (tensor === undefined) return undefined;
  const values = readTensor(file, tensor);
  if (values.kind !== 'float') throw unsupported(`Tensor ${name} of 8-bit blocks`, name);
  return Array.from(values.values);
}

/** Keys and tensors that say the same to llama.cpp and to {@link ropeScalingOf}. */
export function describeScaling(
  scaling: RopeScaling,
  architecture: string,
): {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly TensorToWrite[];
} {
  const key = (name: string) => `${architecture}.rope.scaling.${name}`;
  const text = (value: string): GgufValue => ({ type: 'string', value });
  const real = (value: number): GgufValue => ({ type: 'float32', value });
  const count = (value: number): GgufValue => ({ type: 'uint32', value });
  const list = (name: string, values: readonly number[]): TensorToWrite => ({
    name,
    dims: [values.length],
    type: 'F32',
    bytes: encodeTensor('F32', Float32Array.from(values)),
  });
  switch (scaling.kind) {
    case 'none':
      return { metadata: new Map(), tensors: [] };
    case 'linear':
      return {
        metadata: new Map([
          [key('type'), text('linear')],
          [key('factor'), real(scaling.factor)],
        ]),
        tensors: [],
      };
    case 'yarn':
      if (scaling.attentionFactor !== undefined) throw notExpressible('a stated attention factor');
      return {
        metadata: new Map([
          [key('type'), text('yarn')],
          [key('factor'), real(scaling.factor)],
          [key('original_context_length'), count(scaling.originalContext)],
          [key('yarn_beta_fast'), real(scaling.betaFast)],
          [key('yarn_beta_slow'), real(scaling.betaSlow)],
        ]),
        tensors: [],
      };
    case 'factors':
      if (scaling.attentionFactor === 1) {
        return { metadata: new Map(), tensors: [list(FACTORS_NAME, scaling.factors)] };
      }
      return {
        // Both lists are the same, so the original context decides nothing.
        metadata: new Map([
          [key('type'), text('longrope')],
          [key('original_context_length'), count(1)],
          [key('attn_factor'), real(scaling.attentionFactor)],
        ]),
        tensors: [list(LONG_NAME, scaling.factors), list(SHORT_NAME, scaling.factors)],
      };
    case 'llama3':
      throw notExpressible('the exact rule of Llama 3.1, which GGUF stores as rounded factors');
  }
}

const unsupported = (what: string, value: string | number) =>
  ggufError({
    code: 'gguf_unsupported_architecture',
    message: `${what} is not supported.`,
    value,
    remedy: 'Use a model with no, linear, YaRN or LongRoPE scaling, or with rope_freqs.weight.',
  });

const notExpressible = (what: string) =>
  ggufError({
    code: 'gguf_not_expressible',
    message: `A GGUF file cannot hold ${what}.`,
    remedy: 'Export to safetensors instead.',
  });
