/**
 * Writes `vectors/court/trace.json`: proofs of every kind about traces of small jobs, for the judges of both languages.
 * Each kind has a proof against a lie, and the same openings of the honest trace, which must not convict. Also
 * `vectors/court/kinds.json`, the numbers of the kinds. `--check` writes nothing and exits 1 when the committed files
 * differ.
 *
 *     node tools/dist/generate-court-trace.js [--check]
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  BOUNDARY_KINDS,
  type Charge,
  encodeProof,
  examineCharge,
  findFraud,
  type HonestCase,
  type HonestCaseOptions,
  honestCase,
  type Lie,
  lyingPositions,
  lyingRows,
  lyingTrace,
  sourceOf,
  TRACE_KINDS,
  type TraceKind,
  type TraceSource,
  traceJobOf,
} from '@assay/compute';
import {
  decodeFacts,
  encodeFacts,
  referencePass,
  rowCount,
  rowLayout,
  SPEC_NAME,
  traceOf,
} from '@assay/engine';
import { fromHex, type Hex, toHex, traceKey } from '@assay/protocol';

export type GeneratedFile = { readonly name: string; readonly text: string };

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** More than 64 positions, so that a block closes; the last position has logits, and closes the next block. */
const LLAMA: HonestCaseOptions = { seed: 3, inputCount: 62, outputCount: 9, hash: sha256 };

/** Ops that only other families have; a few positions are enough for them. */
const QWEN2: HonestCaseOptions = {
  ...{ seed: 4, inputCount: 3, outputCount: 2, hash: sha256 },
  config: { family: 'qwen2' },
};
const QWEN3: HonestCaseOptions = { ...QWEN2, config: { family: 'qwen3' } };

type Vector = {
  readonly kind: TraceKind;
  readonly number: number;
  readonly op: string;
  /** Fields of the case in which this proof differs from the case of its group. */
  readonly traceRoot: Hex;
  readonly outputRoot: Hex;
  readonly guilty: boolean;
  readonly proof: Hex;
};

/** Texts of all files. */
export async function generateTraceVectors(): Promise<readonly GeneratedFile[]> {
  const print = (value: object): string =>
    `${JSON.stringify({ spec: SPEC_NAME, source: 'tools/src/generate-court-trace.ts', ...value }, printBigint, 1)}\n`;
  const groups = [
    await group('llama', LLAMA, () => true),
    await group('qwen2', QWEN2, (op) => op === 'bias'),
    await group('qwen3', QWEN3, (op) => op === 'headNorm'),
  ];
  const numbers = Object.entries(TRACE_KINDS).map(([kind, { number }]) => [kind, number] as const);
  const kinds = [...Object.entries(BOUNDARY_KINDS), ...numbers].sort(([, a], [, b]) => a - b);
  return [
    { name: 'trace.json', text: print({ groups }) },
    { name: 'kinds.json', text: print(Object.fromEntries(kinds)) },
  ];
}

const printBigint = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;

/** The proofs about one job: of every kind and op that `wants` names. */
async function group(family: string, shape: HonestCaseOptions, wants: (op: string) => boolean) {
  const honest = honestCase(shape);
  const vectors = new Map<string, readonly Vector[]>();
  for (const lie of lies(honest, wants)) {
    await addVectors(vectors, {
      honest,
      accused: honest,
      source: lyingTrace(honest.trace, [lie], sha256),
    });
  }
  if (wants('logits')) {
    const source = lyingTrace(honest.trace, [higherWitness(honest)], sha256);
    await addVectors(vectors, { honest, accused: honest, source, variant: 'higher' });
    for (const source of [...misshapen(honest), otherCuts(honest)]) {
      await addVectors(vectors, { honest, accused: honest, source });
    }
    const accused = honestCase({ ...shape, wrongToken: 4 });
    await addVectors(vectors, { honest, accused, source: sourceOf(accused.trace) });
  }
  const proofs = [...vectors.values()].flat().sort((a, b) => a.number - b.number);
  const { inputTokens, outputTokens, salt } = honest.envelope;
  return { family, inputTokens, outputTokens, salt, case: honest.signed, proofs };
}

/** Adds the proof against a trace and the same openings of an honest one, if kind and op are new. */
async function addVectors(
  vectors: Map<string, readonly Vector[]>,
  options: {
    readonly honest: HonestCase;
    readonly accused: HonestCase;
    readonly source: TraceSource;
    /** Names a second pair of proofs of the same kind and op. */
    readonly variant?: string;
  },
): Promise<void> {
  const { honest, accused, source, variant = '' } = options;
  const fraud = await findFraud({ ...accused, own: accused.trace, source, hash: sha256 });
  if (fraud === undefined) throw new Error('a lie was not found');
  const { kind, number, proof } = fraud;
  const { op } = honest.model.graph.nodes[proof.node]!;
  const key = `${kind} ${op} ${variant}`;
  if (vectors.has(key)) return;
  const { position: t, node, head, part } = proof;
  const charge = { kind, t, node, head, part, index: honestIndex(honest, { ...proof, kind }) };
  const fair = await examineCharge(
    { ...honest, source: sourceOf(honest.trace), hash: sha256 },
    charge,
  );
  if (fair.guilty) throw new Error(`an honest trace was convicted by ${kind}`);
  const vector = { kind, number, op };
  const guilty = { traceRoot: toHex(await source.root()), outputRoot: accused.signed.outputRoot };
  const { traceRoot, outputRoot } = honest.signed;
  vectors.set(key, [
    { ...vector, ...guilty, guilty: true, proof: fraud.bytes },
    { ...vector, traceRoot, outputRoot, guilty: false, proof: encodeProof(await fair.open()) },
  ]);
}

/** The index of the same charge against the honest trace: a cut is named by its own facts. */
function honestIndex(
  { model, signed, trace }: HonestCase,
  { kind, position: t, node, index, part }: { position: number } & Omit<Charge, 't' | 'head'>,
): number {
  if (kind !== 'cutValue') return index;
  const layout = rowLayout(model.graph, traceJobOf(signed), { t, node });
  const { numbers } = decodeFacts(layout, trace.leaves(t, node)[0]!);
  return part === 0 ? numbers.rankId! : numbers.shareId!;
}

/** Lies in every kind of leaf of every op: each byte of the facts, first and last byte of the others. */
function* lies(honest: HonestCase, wants: (op: string) => boolean): Generator<Lie> {
  const { graph } = honest.model;
  const job = traceJobOf(honest.signed);
  const last = honest.trace.positions.length - 1;
  for (const t of new Set([Math.min(63, last), last])) {
    for (let node = 0; node < rowCount(graph, job, t); node++) {
      if (!wants(graph.nodes[node]!.op)) continue;
      const layout = rowLayout(graph, job, { t, node });
      const flip = (leaf: number, byte: number): Lie => ({
        t,
        node,
        change(leaves) {
          leaves[leaf]![byte]! ^= 1;
          return leaves;
        },
      });
      for (let byte = 0; layout.factLeaves > 0 && byte < layout.recordBytes; byte++) {
        yield flip(0, byte);
      }
      for (const leaf of [layout.factLeaves, layout.firstPartial, layout.firstTile]) {
        if (leaf >= layout.leafCount) continue;
        yield flip(leaf, 0);
        yield flip(leaf, honest.trace.leaves(t, node)[leaf]!.length - 1);
      }
    }
  }
}

/** A pre-shift of 0, which any element could witness, that names the second one instead of the first. */
function higherWitness({ model, signed, trace }: HonestCase): Lie {
  const t = 5;
  const node = model.graph.nodes.findIndex(({ op }) => op === 'rmsNorm');
  const layout = rowLayout(model.graph, traceJobOf(signed), { t, node });
  const { numbers, sums } = decodeFacts(layout, trace.leaves(t, node)[0]!);
  const facts = encodeFacts(layout, { numbers: { ...numbers, preShiftWitness: 1 }, sums });
  return { t, node, change: ([, ...leaves]) => [facts, ...leaves] };
}

/** Leaves, rows, positions and salts that contradict their closed forms. */
function misshapen({ trace }: HonestCase): TraceSource[] {
  const t = trace.positions.length - 1;
  const [first, second, ...rest] = trace.positions;
  const salted = [first!, { ...second!, salt: first!.salt }, ...rest];
  const rows = trace.rows(t);
  return [
    lyingTrace(
      trace,
      [{ t, node: 1, change: ([facts, ...leaves]) => [facts!.slice(1), ...leaves] }],
      sha256,
    ),
    lyingTrace(trace, [{ t, node: 1, change: (leaves) => [...leaves, leaves[0]!] }], sha256),
    lyingRows(trace, t, { rows: [...rows, rows[0]!], hash: sha256 }),
    lyingPositions(trace, [...trace.positions, first!], sha256),
    lyingPositions(trace, salted, sha256),
  ];
}

/** A trace that cuts one token less than the job says, and claims nothing else that is wrong. */
function otherCuts({ model, envelope, signed }: HonestCase): TraceSource {
  const { inputTokens, outputTokens, salt } = envelope;
  const job = traceJobOf(signed);
  const sampler = { ...job.sampler, topK: job.sampler.topK - 1 };
  const pass = referencePass(model, [...inputTokens, ...outputTokens]);
  const key = fromHex(traceKey(salt));
  return sourceOf(traceOf({ model, job: { ...job, sampler }, pass, traceKey: key, hash: sha256 }));
}

async function main(): Promise<void> {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '../../vectors/court');
  const check = process.argv.includes('--check');
  for (const { name, text } of await generateTraceVectors()) {
    const path = join(folder, name);
    if (readOrEmpty(path) === text) continue;
    console.log(`${check ? 'differs' : 'written'}: vectors/court/${name}`);
    if (check) process.exitCode = 1;
    else writeFileSync(path, text);
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
