/**
 * Writes `vectors/court/trace.json`: proofs of every kind about the trace of one small job, for the judges of both
 * languages. Each kind has a proof against a lie and the same openings from the honest trace; what is expected stands
 * beside them. Also `vectors/court/kinds.json`, the numbers of the kinds. `--check` writes nothing and exits 1 when the
 * committed files differ.
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
  honestCase,
  type Lie,
  lyingTrace,
  sourceOf,
  TRACE_KINDS,
  type TraceKind,
  type TraceSource,
  traceJobOf,
} from '@assay/compute';
import { rowCount, rowLayout } from '@assay/engine';
import { type Hex, toHex } from '@assay/protocol';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** More than 64 positions, so that a block closes; the last position has logits and closes, too. */
const SHAPE = { seed: 3, inputCount: 62, outputCount: 9, hash: sha256 } as const;

/** A closing position with logits, and the last one, in another block. */
const POSITIONS = [63, 69];

type Vector = {
  readonly kind: TraceKind;
  readonly number: number;
  readonly op: string;
  /** Fields of the case in which this proof differs from the case of the file. */
  readonly traceRoot: Hex;
  readonly outputRoot: Hex;
  readonly guilty: boolean;
  readonly proof: Hex;
};

/** Proofs of every kind, in the order of their numbers. */
export async function generateTraceVectors(): Promise<string> {
  const honest = honestCase(SHAPE);
  const vectors = new Map<string, Vector[]>();
  for (const lie of lies(honest)) await addVectors(vectors, honest, lyingTrace(honest.trace, [lie], sha256));
  for (const source of misshapen(honest)) await addVectors(vectors, honest, source);
  const wrong = honestCase({ ...SHAPE, wrongToken: 4 });
  await addVectors(vectors, wrong, sourceOf(wrong.trace));
  const missing = Object.keys(TRACE_KINDS).filter(
    (kind) => ![...vectors.keys()].some((key) => key.startsWith(`${kind} `)),
  );
  const proofs = [...vectors.values()].flat().sort((a, b) => a.number - b.number);
  const { seed, inputCount, outputCount } = SHAPE;
  const { inputTokens, outputTokens, salt } = honest.envelope;
  return print({
    source: 'tools/src/generate-court-trace.ts',
    job: { seed, inputCount, outputCount, inputTokens, outputTokens, salt },
    case: honest.signed,
    missing,
    proofs,
  });
}

/** Adds the proof against this trace and the same openings of the honest one, if the kind and op are new. */
async function addVectors(
  vectors: Map<string, Vector[]>,
  honest: HonestCase,
  source: TraceSource,
): Promise<void> {
  const { model, trees, envelope, trace, signed } = honest;
  const options = { model, trees, envelope, hash: sha256 };
  const fraud = await findFraud({ ...options, source, own: trace });
  if (fraud === undefined) throw new Error('a lie was not found');
  const { kind, number, proof } = fraud;
  const { op } = model.graph.nodes[proof.node]!;
  const key = `${kind} ${op}`;
  if (vectors.has(key)) return;
  const vector = { kind, number, op, outputRoot: signed.outputRoot };
  const traceRoot = toHex(await source.root());
  const { position: t, node, head, index, part } = proof;
  const charge: Charge = { kind, t, node, head, index: honestIndex(index, kind), part };
  const fair = await examineCharge({ ...options, source: sourceOf(trace) }, charge);
  vectors.set(key, [{ ...vector, traceRoot, guilty: true, proof: fraud.bytes }]);
  if (fair.guilty) return;
  const bytes = encodeProof(await fair.open());
  vectors.get(key)!.push({ ...vector, traceRoot: signed.traceRoot, guilty: false, proof: bytes });
}
