/**
 * llama.cpp through node-llama-cpp, installed on first use in bench/llama and nowhere else, so that users never
 * download it. The few calls that the benches need are typed here; nothing of it is compiled or linked into ours.
 */
import { type StdioOptions, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../../bench/llama', import.meta.url));

/** Token ids as node-llama-cpp hands them over. */
export type LlamaLogits = ReadonlyMap<number, number>;

type NextOptions = {
  readonly token?: boolean;
  readonly logits?: boolean;
  readonly options?: object;
};

export type LlamaSequence = {
  clearHistory(): Promise<void>;
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  controlledEvaluate(
    input: readonly (number | readonly [number, { readonly generateNext: NextOptions }])[],
  ): Promise<
    readonly (
      | { readonly next: { readonly token?: number | null; readonly logits?: LlamaLogits } }
      | undefined
    )[]
  >;
};

export type LlamaContext = { getSequence(): LlamaSequence };

export type LlamaModel = {
  createContext(options: {
    readonly contextSize: number;
    readonly batchSize: number;
    readonly sequences: number;
    readonly threads: { readonly ideal: number; readonly min: number };
  }): Promise<LlamaContext>;
};

type LlamaModule = {
  getLlama(options: {
    readonly gpu: false;
    readonly build: 'never';
    readonly maxThreads: number;
    readonly logLevel: 'error';
  }): Promise<{
    loadModel(options: { readonly modelPath: string }): Promise<LlamaModel>;
  }>;
};

/** The packages with the compiled library, by Node's name of the platform; only processors are compared. */
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
};

/** What npm says goes beside the report, which may be read as JSON. */
const NPM_STDIO: StdioOptions = ['ignore', process.stderr, 'inherit'];
const NPM_QUIET = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];

/** Installs it unless it is there; true if it can be loaded afterwards. */
export function installLlama(): boolean {
  const binary = BINARIES[`${process.platform}-${process.arch}`];
  if (binary === undefined) return false;
  const modules = join(FOLDER, 'node_modules');
  if (existsSync(join(modules, '@node-llama-cpp', binary))) return true;
  const { dependencies } = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const version = dependencies['node-llama-cpp'];
  // Every platform's library is an optional package; only this machine's is fetched.
  const steps = [[], ['--no-save', `@node-llama-cpp/${binary}@${version}`]];
  return steps.every((extra) => {
    const arguments_ = ['install', ...NPM_QUIET, '--no-package-lock', '--loglevel=error', ...extra];
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    return spawnSync(npm, arguments_, { cwd: FOLDER, stdio: NPM_STDIO }).status === 0;
  });
}

/** Loads a model file on the processor, with up to `threads` threads. */
export async function loadLlamaModel(modelPath: string, threads: number): Promise<LlamaModel> {
  const file = join(FOLDER, 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
  const { getLlama } = (await import(pathToFileURL(file).href)) as LlamaModule;
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: threads,
    logLevel: 'error',
  });
  return llama.loadModel({ modelPath });
}
