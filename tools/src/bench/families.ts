/**
 * Every family and rotary scaling against llama.cpp on the same random weights: how far logits differ and how often the
 * first choice is the same. The weights are float32 numbers that Q8_0 holds, so that neither side rounds them, and
 * queries are enlarged, so that attention is sharp and a wrong position shows. What remains is the activations'
 * rounding on both sides, below 1 %; a family or scaling taken for another differs by 45 % or more.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  bytesSource,
  createWasmBackend,
  type EngineModel,
  encodeTensor,
  exportGguf,
  float16ToFloat32,
  loadGgufModel,
  type ModelConfig,
  mulberry32,
  RESIDUAL_BITS_DEFAULT,
  randomEngineModel,
  readGguf,
  readTensor,
  type TensorToWrite,
  type TensorValues,
  writeGguf,
} from '@assay/engine';
import { installLlama } from './llama.js';
import { wordVocabulary } from './random-file.js';
import { type BenchReport, type BenchRow, row } from './report.js';

const SHAPE: ModelConfig = {
  layerCount: 4,
  width: 128,
  headCount: 4,
  kvHeadCount: 2,
  headSize: 32,
  feedForwardWidth: 192,
  vocabularySize: 320,
  contextLength: 512,
  ropeBase: 10_000,
  rmsEpsilon: 1e-5,
  residualBits: RESIDUAL_BITS_DEFAULT,
};

const FACTORS = Array.from({ length: SHAPE.headSize / 2 }, (_, i) => 1 + i / 4);

/** What differs from a Llama of that shape; prompts go well beyond the original contexts. */
const CASES: Readonly<Record<string, Partial<ModelConfig>>> = {
  llama: {},
  'llama, base 500,000': { ropeBase: 500_000 },
  'llama, linear scaling': { ropeScaling: { kind: 'linear', factor: 4 } },
  'llama, factors as of llama3': {
    ropeScaling: { kind: 'factors', factors: FACTORS, attentionFactor: 1 },
  },
  'llama, longrope': {
    ropeScaling: { kind: 'factors', factors: FACTORS, attentionFactor: 1.1875 },
  },
  'llama, yarn': {
    ropeScaling: { kind: 'yarn', factor: 8, betaFast: 32, betaSlow: 1, originalContext: 64 },
  },
  qwen2: { family: 'qwen2' },
  'qwen2, yarn': {
    family: 'qwen2',
    ropeScaling: { kind: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, originalContext: 128 },
  },
  qwen3: { family: 'qwen3' },
  'qwen3, heads wider than the row': { family: 'qwen3', headSize: 64 },
  smollm3: { family: 'smollm3' },
};

const PROMPT = 400;
const SEED = 7;

export async function benchFamilies(): Promise<BenchReport> {
  const hasPeer = installLlama();
  const rows = Object.entries(CASES).flatMap(([name, change]) => measure(name, change, hasPeer));
  return { name: 'families', rows };
}

function measure(name: string, change: Partial<ModelConfig>, hasPeer: boolean): BenchRow[] {
  if (!hasPeer) return [];
  const { vocabularySize } = SHAPE;
  const tokens = promptOf(vocabularySize);
  const file = randomFile({ ...SHAPE, ...change });
  const { model } = loadGgufModel(file);
  const ours = createWasmBackend().createSession(model).forward(tokens, { logits: 'all' });
  // node-llama-cpp gives other logits for the last token of a list than for the same token with one after it.
  const theirs = peerLogits(inFloats(file), [...tokens, tokens[0]!], vocabularySize).subarray(
    0,
    ours.length,
  );
  const errors = theirs.map((logit, i) => ours[i]! / 65_536 - logit);
  const same = tokens.filter((_, position) => {
    const cut = [position * vocabularySize, (position + 1) * vocabularySize] as const;
    return largest(ours.subarray(...cut)) === largest(theirs.subarray(...cut));
  });
  return [
    row(`${name}: logits differ by`, (100 * rms(errors)) / rms(theirs), null, '% of their rms'),
    row(`${name}: same first choice`, (100 * same.length) / tokens.length, null, '%'),
  ];
}

/** Plain words of the vocabulary, so that both sides see ids alone. */
function promptOf(vocabularySize: number): number[] {
  const next = mulberry32(3);
  const firstWord = 260;
  return Array.from({ length: PROMPT }, () => firstWord + (next() % (vocabularySize - firstWord)));
}

/** A random model as a Q8_0 file, untied, with queries and keys of twice the usual size. */
function randomFile(config: ModelConfig): Uint8Array {
  const plain = randomEngineModel({ seed: SEED, config, tied: false });
  const matrices = new Map(plain.matrices);
  for (const [name, matrix] of matrices) {
    if (!/attn_[qk]\.weight$/.test(name)) continue;
    matrices.set(name, { ...matrix, exponent: matrix.exponent + 1 });
  }
  const model: EngineModel = { ...plain, matrices };
  return exportGguf({ model, metadata: wordVocabulary(config.vocabularySize) }).bytes;
}

/** The same numbers in float32, for which llama.cpp keeps activations in floats, too. */
function inFloats(bytes: Uint8Array): Uint8Array {
  const file = readGguf(bytesSource(bytes));
  const tensors = [...file.tensors.values()].map((tensor): TensorToWrite => {
    const values = widened(readTensor(file, tensor));
    return {
      name: tensor.name,
      dims: tensor.dims,
      type: 'F32',
      bytes: encodeTensor('F32', values),
    };
  });
  return writeGguf({ metadata: file.metadata, tensors });
}

const widened = (values: TensorValues): Float32Array =>
  values.kind === 'float'
    ? values.values
    : Float32Array.from(
        values.quants,
        (quant, i) => quant * float16ToFloat32(values.scales[i >> 5]!),
      );

/** Logits of every position, row after row. */
function peerLogits(
  file: Uint8Array,
  tokens: readonly number[],
  vocabularySize: number,
): Float32Array {
  const folder = mkdtempSync(join(tmpdir(), 'assay-families-'));
  try {
    const [model, input, output] = ['model.gguf', 'input.json', 'output'].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    writeFileSync(model, file);
    writeFileSync(input, JSON.stringify({ file: model, vocabularySize, sequences: [tokens] }));
    const program = fileURLToPath(new URL('./quality-peer.js', import.meta.url));
    execFileSync(process.execPath, [program, input, output], { stdio: 'inherit' });
    const bytes = readFileSync(output);
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rms = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum / values.length);
};

function largest(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}
