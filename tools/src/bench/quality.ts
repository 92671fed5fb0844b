/**
 * What exactness costs in quality: perplexity and first choices of the integer engine against the same 8-bit weights
 * with float activations, against the unquantised weights where they exist, and beside llama.cpp on the same file. On
 * the shipped model, on a checkpoint of its training (`--checkpoint FILE`), on a larger model that `--larger` trains,
 * and on each with outlier channels. The text is the evaluation of the shipped model, which training never saw.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createWasmBackend,
  type EngineModel,
  encodeTensor,
  exportGguf,
  loadGgufModel,
  type TensorToWrite,
  writeGguf,
} from '@assay/engine';
import { type ModelFile, openModelFile } from '@assay/model';
import { heldOutProbes, type Probe, unseenProbes } from '../make-model/dialogue.js';
import { type Phrasebook, readPhrasebook } from '../make-model/text.js';
import { type FloatModel, floatLogits, floatsOf } from './float-model.js';
import { installLlama } from './llama.js';
import { withOutliers } from './outliers.js';
import { type BenchReport, type BenchRow, row } from './report.js';
import { checkpointModel, largerModel, type TrainedModel } from './trained-model.js';

const ROOT = new URL('../../../', import.meta.url);
const SHIPPED = new URL('models/assay-mini.gguf', ROOT);
const EVALUATION_SEED = 2026;
/** Questions with their answers, evenly from all; about thirty scored tokens each. */
const SEQUENCES = 120;

/** A question and its right answer as tokens; scored are the tokens of the answer and its end. */
type Sequence = { readonly tokens: readonly number[]; readonly scoredFrom: number };

/** One model in one state: the file that engines load, and what it stands for. */
type Subject = {
  readonly name: string;
  readonly file: Uint8Array;
  /** Unquantised weights of the same function, if there are any. */
  readonly exact: FloatModel | undefined;
  readonly sequences: readonly Sequence[];
};

/** Logits at every scored position, in order. */
type Logits = readonly ArrayLike<number>[];

export async function benchQuality(options: readonly string[] = []): Promise<BenchReport> {
  const phrasebook = readPhrasebook(new URL('tools/make-model/text/', ROOT));
  const hasPeer = installLlama();
  const subjects = shippedSubjects(phrasebook);
  const checkpoint = options[options.indexOf('--checkpoint') + 1];
  if (options.includes('--checkpoint') && checkpoint !== undefined) {
    const trained = await checkpointModel(phrasebook, checkpoint);
    subjects.push(...trainedSubjects('checkpoint', trained, phrasebook));
  }
  if (options.includes('--larger')) {
    subjects.push(...trainedSubjects('larger', await largerModel(phrasebook), phrasebook));
  }
  const rows = subjects.flatMap((subject) => measure(subject, hasPeer));
  return { name: 'quality', rows };
}

/** The shipped file, whose unquantised weights nobody has, and the same weights with outliers. */
function shippedSubjects(phrasebook: Phrasebook): Subject[] {
  const file = new Uint8Array(readFileSync(SHIPPED));
  const opened = openModelFile(file);
  const sequences = sequencesOf(opened, phrasebook);
  const floats = floatsOf(opened.model);
  return [
    { name: 'shipped', file, exact: undefined, sequences },
    outlierSubject({ name: 'shipped', file, exact: floats, sequences }),
  ];
}

function trainedSubjects(
  name: string,
  { file, floats }: TrainedModel,
  phrasebook: Phrasebook,
): Subject[] {
  const sequences = sequencesOf(openModelFile(file), phrasebook);
  const plain = { name, file: converted(floats, file), exact: floats, sequences };
  return [plain, outlierSubject(plain)];
}

/** The subject's exact weights with outlier channels. */
function outlierSubject(subject: Subject & { readonly exact: FloatModel }): Subject {
  const file = converted(withOutliers(subject.exact), subject.file);
  return { ...subject, name: `${subject.name} with outliers x100`, file };
}

/** What `assay model convert` makes of unquantised weights; the metadata is another file's. */
function converted(floats: FloatModel, described: Uint8Array): Uint8Array {
  const { metadata } = loadGgufModel(described).file;
  const tensors = [...floats.tensors].map(([name, values]) => float32(name, values, floats));
  const { model } = loadGgufModel(writeGguf({ metadata, tensors }));
  return exportGguf({ model, metadata }).bytes;
}

function float32(name: string, values: Float32Array, { config }: FloatModel): TensorToWrite {
  const bytes = encodeTensor('F32', values);
  if (name.endsWith('norm.weight')) return { name, dims: [values.length], type: 'F32', bytes };
  const { width, headCount, headSize, feedForwardWidth } = config;
  const cols = name.includes('ffn_down')
    ? feedForwardWidth
    : name.includes('attn_output')
      ? headCount * headSize
      : width;
  return { name, dims: [cols, values.length / cols], type: 'F32', bytes };
}

function sequencesOf({ chat, tokenizer }: ModelFile, phrasebook: Phrasebook): Sequence[] {
  const probes = [
    ...unseenProbes(phrasebook, EVALUATION_SEED),
    ...heldOutProbes(phrasebook, EVALUATION_SEED),
  ];
  const chosen = Array.from(
    { length: SEQUENCES },
    (_, i) => probes[Math.floor((i * probes.length) / SEQUENCES)] as Probe,
  );
  return chosen.map(({ question, answers }) => {
    const prompt = chat.renderChat([{ role: 'user', content: question }]);
    const tokens = [...prompt, ...tokenizer.encode(answers[0]!), tokenizer.eosIds[0]!];
    return { tokens, scoredFrom: prompt.length };
  });
}

function measure(subject: Subject, hasPeer: boolean): BenchRow[] {
  const { model } = loadGgufModel(subject.file);
  const targets = subject.sequences.flatMap(({ tokens, scoredFrom }) => tokens.slice(scoredFrom));
  const ours = oursLogits(model, subject.sequences);
  const rounded = floatsLogits(floatsOf(model), subject.sequences);
  const exact =
    subject.exact === undefined ? undefined : floatsLogits(subject.exact, subject.sequences);
  const peer = hasPeer ? peerLogits(subject, model.config.vocabularySize) : undefined;
  const against = (reference: Logits, label: string): BenchRow[] => [
    perplexityRow(`${subject.name}: perplexity, peer ${label}`, { ours, peer: reference, targets }),
    choiceRow(`${subject.name}: first choice as ${label}, peer llama.cpp`, {
      ours,
      peer,
      reference,
    }),
  ];
  return [
    ...against(rounded, 'same 8-bit weights with float activations'),
    ...(exact === undefined ? [] : against(exact, 'unquantised weights in float')),
    ...(peer === undefined
      ? []
      : [perplexityRow(`${subject.name}: perplexity, peer llama.cpp`, { ours, peer, targets })]),
  ];
}

function oursLogits(model: EngineModel, sequences: readonly Sequence[]): Logits {
  const session = createWasmBackend().createSession(model);
  const { vocabularySize } = model.config;
  return sequences.flatMap(({ tokens, scoredFrom }) => {
    session.truncate(0);
    const all = session.forward(tokens, { logits: 'all' });
    return scored(tokens, scoredFrom).map((position) =>
      Float64Array.from(
        all.subarray(position * vocabularySize, (position + 1) * vocabularySize),
        (logit) => logit / 65_536,
      ),
    );
  });
}

const floatsLogits = (model: FloatModel, sequences: readonly Sequence[]): Logits =>
  sequences.flatMap(({ tokens, scoredFrom }) => {
    const all = floatLogits(model, tokens);
    return scored(tokens, scoredFrom).map((position) => all[position]!);
  });

/** Positions whose next token is scored. */
const scored = (tokens: readonly number[], scoredFrom: number): number[] =>
  Array.from({ length: tokens.length - scoredFrom }, (_, i) => scoredFrom - 1 + i);

/** llama.cpp's logits of the subject's file, computed in another process. */
function peerLogits({ file, sequences }: Subject, vocabularySize: number): Logits {
  const folder = mkdtempSync(join(tmpdir(), 'assay-quality-'));
  try {
    const [model, input, output] = ['model.gguf', 'input.json', 'output'].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    writeFileSync(model, file);
    const lists = sequences.map(({ tokens }) => tokens);
    writeFileSync(input, JSON.stringify({ file: model, vocabularySize, sequences: lists }));
    const program = fileURLToPath(new URL('./quality-peer.js', import.meta.url));
    execFileSync(process.execPath, [program, input, output], { stdio: 'inherit' });
    const bytes = readFileSync(output);
    const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    let first = 0;
    return sequences.flatMap(({ tokens, scoredFrom }) => {
      const from = first;
      first += tokens.length;
      return scored(tokens, scoredFrom).map((position) =>
        all.subarray((from + position) * vocabularySize, (from + position + 1) * vocabularySize),
      );
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Ours over the peer's: 1.001 is 0.1 % worse. */
const perplexityRow = (
  name: string,
  { ours, peer, targets }: { ours: Logits; peer: Logits; targets: readonly number[] },
): BenchRow =>
  preciseRow(name, {
    ours: perplexity(ours, targets),
    peer: perplexity(peer, targets),
    unit: 'perplexity (less is better)',
  });

/** Share of positions at which an engine's largest logit is the reference's. */
const choiceRow = (
  name: string,
  sides: { ours: Logits; peer: Logits | undefined; reference: Logits },
): BenchRow =>
  preciseRow(name, {
    ours: agreement(sides.ours, sides.reference),
    peer: sides.peer === undefined ? null : agreement(sides.peer, sides.reference),
    unit: '% of positions',
  });

/** Differences are in the fourth digit, so more of them are kept than a speed deserves. */
const preciseRow = (
  name: string,
  { ours, peer, unit }: { readonly ours: number; readonly peer: number | null; unit: string },
): BenchRow => {
  const round = (value: number): number => Number(value.toPrecision(7));
  return {
    ...row(name, ours, peer, unit),
    ours: round(ours),
    peer: peer === null ? null : round(peer),
    ratio: peer === null ? null : round(ours / peer),
  };
};

function perplexity(logits: Logits, targets: readonly number[]): number {
  const losses = logits.map((at, i) => {
    const largest = maxOf(at);
    let sum = 0;
    for (let id = 0; id < at.length; id++) sum += Math.exp(at[id]! - largest);
    return largest + Math.log(sum) - at[targets[i]!]!;
  });
  return Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
}

function agreement(a: Logits, b: Logits): number {
  const same = a.filter((at, i) => firstChoice(at) === firstChoice(b[i]!)).length;
  return (100 * same) / a.length;
}

function firstChoice(at: ArrayLike<number>): number {
  let best = 0;
  for (let id = 1; id < at.length; id++) if (at[id]! > at[best]!) best = id;
  return best;
}

const maxOf = (at: ArrayLike<number>): number => at[firstChoice(at)]!;
