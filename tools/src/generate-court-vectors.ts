/**
 * Writes `vectors/court/*.json`: what the reference kernels give for rows drawn from hashes, so that each checker of
 * `contracts/dispute` is held against at least 2,000 leaves of its op; `run-leaves.ts` is the lane of 100,000. Inputs
 * are not stored: both sides draw them from the same stream of keccak words (`court-leaves/draw.ts` here, `Draw.sol`
 * there), edges included. `--check` writes nothing and exits 1 when the committed files differ.
 *
 *     node tools/dist/generate-court-vectors.js [--check]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  type EngineModel,
  EXP2_HIGH,
  EXP2_LOW,
  matrixAt,
  randomEngineModel,
  referenceOps,
  SPEC_NAME,
  TURNS_HIGH,
  TURNS_LOW,
  tablesRoot,
  tensorRows,
} from '@assay/engine';
import { keccak, toHex } from '@assay/protocol';
import { drawStream } from './court-leaves/draw.js';
import {
  COURT_OPS,
  exactSum,
  leafFile,
  pack,
  REFERENCE,
  row16,
  times,
} from './court-leaves/rows.js';

export type GeneratedFile = { readonly name: string; readonly text: string };

/** The tables in the order of their contract, and the root that their constructor asks for. */
function tableVectors(): object {
  const turns = ({ cos, sin }: typeof TURNS_HIGH) =>
    times(2 * cos.length, (i) => (i & 1 ? sin : cos)[i >> 1]!);
  const values = [...EXP2_HIGH, ...EXP2_LOW, ...turns(TURNS_HIGH), ...turns(TURNS_LOW)];
  return { bytes: toHex(pack(4, ...values)), root: toHex(tablesRoot(keccak)) };
}

const LEAF_COUNT = 8;

/** Leaves as a model commits to them, with activations, their exact sum, and the elements as embeddings. */
function leafVectors(): object[] {
  const model: EngineModel = randomEngineModel({ seed: 4 });
  const name = model.graph.weights[0]!.name;
  const matrix = matrixAt(model, 0);
  const leaves = [...tensorRows(model).find((tensor) => tensor.name === name)!.leaves].slice(1);
  return times(LEAF_COUNT, (row) => {
    const x = row16(drawStream('leaf', row), matrix.cols, 0);
    return {
      weights: toHex(leaves[row]!),
      activations: toHex(pack(2, ...Array.from(x.values, (m) => m + 32_768))),
      sum: String(exactSum(matrix, row, x.values)),
      base: matrix.exponent + 16,
      embedded: Array.from(referenceOps.embed(matrix, row, 16).values),
    };
  });
}

/** Texts of all files. */
export function generateCourtVectors(): readonly GeneratedFile[] {
  const source = 'tools/src/generate-court-vectors.ts';
  const print = (value: object): string =>
    `${JSON.stringify({ spec: SPEC_NAME, source, ...value }, undefined, 1)}\n`;
  const files = Object.entries(COURT_OPS).map(([op, { rows }]) => {
    const file = leafFile(op, { first: 0, rows, ops: REFERENCE });
    return { name: `${op}.json`, text: print(file) };
  });
  return [
    ...files,
    { name: 'tables.json', text: print(tableVectors()) },
    { name: 'leaves.json', text: print({ leaves: leafVectors() }) },
  ];
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function main(): void {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '../../vectors/court');
  mkdirSync(folder, { recursive: true });
  const check = process.argv.includes('--check');
  for (const { name, text } of generateCourtVectors()) {
    const path = join(folder, name);
    if (readOrEmpty(path) === text) continue;
    console.log(`${check ? 'differs' : 'written'}: vectors/court/${name}`);
    if (check) process.exitCode = 1;
    else writeFileSync(path, text);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
