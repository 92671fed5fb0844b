/**
 * Builds the contracts and writes their ABIs and creation bytecode into `packages/protocol/src/generated`, so that no
 * other room needs a Solidity compiler. `--check` writes nothing and exits 1 when the committed files differ.
 *
 *     node tools/dist/generate-abi.js [--check]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runForge } from './forge.js';

/** Contracts whose interface leaves the chain, by source file, in the order of deployment. */
export const CONTRACTS = [
  'settlement/TestDollar',
  'settlement/Channels',
  'settlement/Stake',
  'compute/Offers',
  'compute/Receipts',
  'model/ModelRegistry',
  'dispute/Tables',
  'dispute/Checker',
  'dispute/FormJudge',
  'dispute/LinearJudge',
  'dispute/MapJudge',
  'dispute/RowJudge',
  'dispute/SamplingJudge',
  'dispute/Vaults',
  'dispute/Vault',
  'dispute/Court',
  'dispute/Audits',
] as const;

/** The part of a Foundry artifact that is used. */
export type Artifact = {
  readonly abi: readonly unknown[];
  readonly bytecode: { readonly object: string };
};

export type GeneratedFile = { readonly name: string; readonly text: string };

const HEADER = [
  '// Generated from contracts/ by tools/src/generate-abi.ts. Do not edit: run `npm run generate`.',
  '',
];

/** `settlement/TestDollar` becomes `testDollar`. */
export function variableName(contract: string): string {
  const name = contract.slice(contract.lastIndexOf('/') + 1);
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}

/** Texts of the generated modules; a pure function of the artifacts. */
export function generate(artifacts: ReadonlyMap<string, Artifact>): readonly GeneratedFile[] {
  const abis = [...HEADER];
  const bytecodes = [...HEADER];
  for (const [contract, artifact] of artifacts) {
    const name = variableName(contract);
    const abi = artifact.abi.map((item) => `  ${JSON.stringify(item)},`).join('\n');
    abis.push(`export const ${name}Abi = [\n${abi}\n] as const;`, '');
    bytecodes.push(
      `export const ${name}Bytecode: \`0x\${string}\` =\n  '${artifact.bytecode.object}';`,
      '',
    );
  }
  return [
    { name: 'abi.ts', text: abis.join('\n') },
    { name: 'bytecode.ts', text: bytecodes.join('\n') },
  ];
}

/** Compiles every contract; throws with the compiler's words if that fails. */
function build(): void {
  const { status, output } = runForge(['build', '--root', 'contracts', '--skip', 'test'], {
    quiet: true,
  });
  if (status !== 0) throw new Error(`forge build failed\n${output}`);
}

function readArtifact(root: string, contract: string): Artifact {
  const name = contract.slice(contract.lastIndexOf('/') + 1);
  const path = join(root, 'contracts/out', `${name}.sol`, `${name}.json`);
  return JSON.parse(readFileSync(path, 'utf8')) as Artifact;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Writes the files that differ, or only names them. */
export function generateAbi(options: { readonly root: string; readonly check: boolean }): string[] {
  const { root, check } = options;
  build();
  const artifacts = new Map(CONTRACTS.map((contract) => [contract, readArtifact(root, contract)]));
  const folder = join(root, 'packages/protocol/src/generated');
  mkdirSync(folder, { recursive: true });
  const changed: string[] = [];
  for (const { name, text } of generate(artifacts)) {
    const path = join(folder, name);
    if (readOrEmpty(path) === text) continue;
    changed.push(`packages/protocol/src/generated/${name}`);
    if (!check) writeFileSync(path, text);
  }
  return changed;
}

function main(): void {
  const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
  const check = process.argv.includes('--check');
  const changed = generateAbi({ root, check });
  for (const path of changed) console.log(`${check ? 'differs' : 'written'}: ${path}`);
  if (changed.length === 0) console.log(`${CONTRACTS.length} contracts: nothing changed`);
  if (check && changed.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
