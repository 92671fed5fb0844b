/** `assay doctor`: looks at everything a network needs on this machine and says what to do about each finding. */
import { execFileSync } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { assertFit, createWasmBackend } from '@assay/engine';
import { openModelFile } from '@assay/model';
import { findAnvil } from '../chain/index.js';
import { openHome } from '../home.js';
import { openModelSource, SHIPPED_MODEL_PATH } from '../model-store.js';
import { fetchGateway } from './gateway-client.js';
import { EXIT, type Output, print } from './output.js';
import { readRunFile } from './run-file.js';

export type DoctorOptions = Output & { readonly home: string };

export type Finding = {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'problem';
  readonly detail: string;
  readonly remedy?: string;
};

/** Below these a network starts but does not go far. */
const MEMORY_BYTES_MIN = 2 * 1024 ** 3;
const DISK_BYTES_MIN = 1024 ** 3;
const NODE_MIN = { major: 20, minor: 19 } as const;

/** True for Node 20.19 and later, as `engines` in the manifest says. */
export function isNodeSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NODE_MIN.major || (major === NODE_MIN.major && minor >= NODE_MIN.minor);
}

type Check = (options: DoctorOptions) => Finding | Promise<Finding>;

const CHECKS: Readonly<Record<string, Check>> = {
  node: () => {
    const detail = `Node ${process.versions.node}`;
    return isNodeSupported(process.versions.node)
      ? { name: 'node', state: 'ok', detail }
      : { name: 'node', state: 'problem', detail, remedy: 'Install Node 20.19 or later.' };
  },
  memory: () => {
    const detail = `${(totalmem() / 1024 ** 3).toFixed(1)} GiB, ${availableParallelism()} cores`;
    return totalmem() >= MEMORY_BYTES_MIN
      ? { name: 'memory', state: 'ok', detail }
      : { name: 'memory', state: 'warning', detail, remedy: 'Two GiB or more are advised.' };
  },
  home: ({ home }) => {
    const { bavail, bsize } = statfsSync(openHome(home));
    const free = bavail * bsize;
    const detail = `${home}, ${(free / 1024 ** 3).toFixed(1)} GiB free`;
    return free >= DISK_BYTES_MIN
      ? { name: 'home', state: 'ok', detail }
      : {
          name: 'home',
          state: 'warning',
          detail,
          remedy: 'Free some space, or choose another --home.',
        };
  },
  chain: () => {
    const program = findAnvil();
    const version = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      timeout: 10_000,
    }).split('\n')[0];
    return { name: 'chain', state: 'ok', detail: version ?? program };
  },
  engine: () => {
    assertFit(createWasmBackend());
    return { name: 'engine', state: 'ok', detail: 'WebAssembly SIMD kernels give the right bits' };
  },
  model: () => {
    if (!existsSync(SHIPPED_MODEL_PATH))
      return {
        name: 'model',
        state: 'problem',
        detail: 'the shipped model is missing',
        remedy: 'Restore models/assay-mini.gguf from the repository.',
      };
    const { info, identity } = openModelFile(openModelSource(SHIPPED_MODEL_PATH));
    return {
      name: 'model',
      state: 'ok',
      detail: `${info.name}, id ${identity.modelId.slice(0, 10)}…`,
    };
  },
  ports: async () => {
    const taken = await takenPorts([8545, 8787, 8788, 8789]);
    return taken.length === 0
      ? { name: 'ports', state: 'ok', detail: '8545, 8787, 8788 and 8789 are free' }
      : {
          name: 'ports',
          state: 'warning',
          detail: `taken: ${taken.join(', ')}`,
          remedy: 'Nothing to do: the next free ports are used. If it is an old network, stop it.',
        };
  },
  network: async ({ home }) => {
    const run = readRunFile(home);
    if (run === undefined)
      return { name: 'network', state: 'ok', detail: 'not running in this data folder' };
    await fetchGateway({ url: `${run.gateway}/v1/network`, timeoutMs: 5_000 });
    return { name: 'network', state: 'ok', detail: `running at ${run.gateway}` };
  },
};

const REMEDIES: Readonly<Record<string, string>> = {
  chain:
    'Run `npm install --no-save --ignore-scripts` (`npm start` does so too): the platform package of anvil is missing or cannot run here.',
  engine: 'This JavaScript engine lacks WebAssembly SIMD; use Node 20.19 or later on x64 or arm64.',
  home: 'Choose a writable folder with --home.',
  model: 'Restore models/assay-mini.gguf from the repository.',
  network: 'It is written down as running but does not answer: start it again with `assay up`.',
};

async function run(name: string, check: Check, options: DoctorOptions): Promise<Finding> {
  try {
    return await check(options);
  } catch (error) {
    const remedy = REMEDIES[name];
    return {
      name,
      state: 'problem',
      detail: error instanceof Error ? error.message : String(error),
      ...(remedy ? { remedy } : {}),
    };
  }
}

export async function doctor(options: DoctorOptions): Promise<void> {
  const findings: Finding[] = [];
  for (const [name, check] of Object.entries(CHECKS))
    findings.push(await run(name, check, options));
  const healthy = findings.every(({ state }) => state !== 'problem');
  print(options, { healthy, findings }, findings.map(findingText).join('\n'));
  if (!healthy) process.exitCode = EXIT.failed;
}

const MARKS = { ok: '✓', warning: '!', problem: '✗' } as const;

const findingText = ({ name, state, detail, remedy }: Finding): string =>
  `${MARKS[state]} ${name.padEnd(8)} ${detail}${remedy === undefined ? '' : `\n           ${remedy}`}`;

async function takenPorts(ports: readonly number[]): Promise<readonly number[]> {
  const taken: number[] = [];
  for (const port of ports) if (!(await isFree(port))) taken.push(port);
  return taken;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
