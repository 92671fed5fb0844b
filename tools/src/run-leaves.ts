/**
 * The long lane of the checkers: contract = reference = WebAssembly kernels on 100,000 leaves of every op, and the
 * claim beside each is refused. Rows are drawn from hashes of the op's name and the row's number, so the numbers that
 * are printed say everything: `--first` looks elsewhere. The reference and the kernels compute the rows, which must be
 * equal in every byte; then the tests of `contracts/test/dispute/Leaves.t.sol` draw the same inputs again and ask the
 * deployed checker. Nothing of it is committed.
 *
 *     npm run leaves -- [--op matmul] [--leaves 100000] [--first 0]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createKernelOps } from '@assay/engine/kernel-ops';
import { COURT_OPS, type LeafFile, leafFile, REFERENCE } from './court-leaves/rows.js';
import { runForge } from './forge.js';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** Relative to `contracts`, where tests may read (foundry.toml). */
const FOLDER = 'cache/leaves';

const LEAVES = 100_000;
/** Leaves of one run of forge: some minutes of the slowest op. */
const LEAVES_PER_RUN = 25_600;
/** The tests are slow on purpose: a limit of gas or memory says nothing about them. */
const LIMITS = { FOUNDRY_GAS_LIMIT: '18446744073709551615', FOUNDRY_MEMORY_LIMIT: '4294967296' };

const kernels = createKernelOps();

function main(): boolean {
  const { values } = parseArgs({
    options: {
      op: { type: 'string' },
      leaves: { type: 'string', default: String(LEAVES) },
      first: { type: 'string', default: '0' },
    },
  });
  const names = values.op === undefined ? Object.keys(COURT_OPS) : [values.op];
  return names.every((op) =>
    runOp(op, { first: Number(values.first), leaves: Number(values.leaves) }),
  );
}

function runOp(op: string, wanted: { readonly first: number; readonly leaves: number }): boolean {
  const known = COURT_OPS[op];
  if (known === undefined) throw new Error(`no op is called ${op}`);
  const total = Math.ceil(wanted.leaves / known.leaves);
  const most = Math.ceil(LEAVES_PER_RUN / known.leaves);
  for (let done = 0; done < total; done += most) {
    const [first, rows] = [wanted.first + done, Math.min(most, total - done)];
    const file = leafFile(op, { first, rows, ops: REFERENCE });
    if (known.hasKernel) requireEqual(file, leafFile(op, { first, rows, ops: kernels }));
    if (!isRight(file)) return false;
  }
  const engines = known.hasKernel ? 'contract = reference = kernels' : 'contract = reference';
  const last = wanted.first + total - 1;
  console.log(`${op}: ${total * known.leaves} leaves, rows ${wanted.first} to ${last}, ${engines}`);
  return true;
}

function requireEqual(reference: LeafFile, kernel: LeafFile): void {
  const index = reference.rows.findIndex((row, i) => row !== kernel.rows[i]);
  if (index < 0) return;
  const { op, first } = reference;
  const [wanted, found] = [reference.rows[index], kernel.rows[index]];
  throw new Error(`${op} row ${first + index}: reference ${wanted}, kernel ${found}`);
}

/** Runs the tests of the op on these rows. */
function isRight(file: LeafFile): boolean {
  const folder = join(ROOT, 'contracts', FOLDER);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${file.op}.json`), JSON.stringify(file));
  Object.assign(process.env, LIMITS, { ASSAY_LEAVES_FOLDER: FOLDER });
  const test = `^test_${file.op}(_.*)?\\(`;
  const parameters = ['test', '--root', 'contracts', '--match-contract', '^LeavesTest$'];
  const result = runForge([...parameters, '--match-test', test], { quiet: true });
  const isPassed = result.status === 0 && /[1-9]\d* tests? passed/.test(result.output);
  if (!isPassed) console.log(result.output);
  return isPassed;
}

if (!main()) process.exitCode = 1;
