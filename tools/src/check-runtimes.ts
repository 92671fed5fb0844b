/**
 * One fixed random model and prompt on several runtimes, and random cases of every kernel against the reference on each
 * of them: the fingerprint of the logits must be the same on each Node binary, on Arm and in a Chromium page, with one
 * thread and with two. Run:
 * node tools/dist/check-runtimes.js [--node FILE]... [--arm64 FILE]... [--chromium FILE]... [--cases N] [--seed N]
 *
 * `--arm64` takes a Node binary for 64-bit Arm Linux and runs it under QEMU where this machine is another; without QEMU
 * and the libraries that it needs it is skipped by name.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

type Answer = { readonly runtime: string; readonly fingerprint: string };

const engineDist = join(dirname(fileURLToPath(import.meta.url)), '../../packages/engine/dist');

/** Most time for one runtime: start, compile, a model on one and two threads; an emulated one takes minutes. */
const RUNTIME_MS_MAX = 900_000;

/** Most time for one random case of every kernel: an emulated processor needs some 40 ms. */
const CASE_MS_MAX = 250;

/** Random cases per kernel and runtime, unless `--cases` is given. */
const CASES_DEFAULT = 500;

/** Every runtime runs this text; only how a worker is started and how the answer is given differs. */
const PROGRAM = `
async function answers(engine, testing, spawnWorker, { cases, seed }) {
  const rows = [];
  const model = engine.selfTestModel();
  for (const threads of [1, 2]) {
    const backend = engine.createWasmBackend({ threads, spawnWorker });
    backend.load(model);
    while (backend.threadCount(model) < threads) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const fingerprint = engine.fingerprint(engine.selfTestLogits(backend, model));
    rows.push({ threads: backend.threadCount(model), fingerprint });
    backend.dispose();
  }
  return { rows, fuzz: fuzzKernels(testing, { cases, seed }) };
}
function fuzzKernels({ createKernelBench, countCases, KERNEL_CASES }, { cases, seed }) {
  const bench = createKernelBench();
  return Object.keys(KERNEL_CASES).map((name) => ({ name, ...countCases(bench, { name, cases, seed }) }));
}`;

/** How many random cases, from which seed. */
type Fuzz = { readonly cases: number; readonly seed: number };

const timeoutMs = ({ cases }: Fuzz): number => RUNTIME_MS_MAX + cases * CASE_MS_MAX;

type Row = { readonly threads: number; readonly fingerprint: string };

/** What the random cases of one kernel came to. */
type Fuzzed = {
  readonly name: string;
  readonly cases: number;
  readonly calls: number;
  readonly difference?: string;
};

/** What one runtime found. */
type Report = { readonly rows: readonly Row[]; readonly fuzz: readonly Fuzzed[] };

/** Fails if a kernel differs from the reference; its seed belongs into `kernels.test.ts`. */
function named(runtime: string, { rows, fuzz }: Report): Answer[] {
  const differences = fuzz.flatMap(({ difference }) => difference ?? []);
  if (differences.length > 0) throw new Error(`${runtime}: ${differences.join('; ')}`);
  const counts = fuzz.map(({ name, cases, calls }) => `${name} ${cases} in ${calls}`);
  console.log(`${runtime}: cases as the reference, in calls: ${counts.join(', ')}`);
  return rows.map(({ threads, fingerprint }) => ({
    runtime: `${runtime}, ${threads} thread(s)`,
    fingerprint,
  }));
}

/** Runs a Node binary; `launcher` is the program that starts it, if it cannot start by itself. */
function runNode(binary: string, fuzz: Fuzz, launcher: readonly string[] = []): Answer[] {
  const url = (file: string) => JSON.stringify(new URL(`file://${join(engineDist, file)}`).href);
  const program = `
    import { Worker } from 'node:worker_threads';
    import * as engine from ${url('wasm/index.js')};
    import { createKernelBench } from ${url('wasm/testing/kernel-bench.js')};
    import { KERNEL_CASES } from ${url('wasm/testing/kernel-cases.js')};
    import { countCases } from ${url('wasm/testing/kernel-fuzz.js')};
    ${PROGRAM}
    const text = 'import { workerData } from "node:worker_threads"; import { serve } from ' +
      ${JSON.stringify(url('wasm/worker.js'))} + '; serve(workerData);';
    const spawnWorker = (start) => {
      const file = new URL('data:text/javascript,' + encodeURIComponent(text));
      const worker = new Worker(file, { workerData: start });
      worker.unref();
      return worker;
    };
    const report = await answers(
      engine, { createKernelBench, countCases, KERNEL_CASES }, spawnWorker, ${JSON.stringify(fuzz)},
    );
    console.log(JSON.stringify({ version: process.version, arch: process.arch, ...report }));
    process.exit(0);`;
  const [first, ...rest] = [...launcher, binary, '--input-type=module', '--eval', program];
  const output = execFileSync(first!, rest, { encoding: 'utf8', timeout: timeoutMs(fuzz) });
  const { version, arch, ...report } = JSON.parse(output) as Report & {
    version: string;
    arch: string;
  };
  return named(`node ${version} ${arch}`, report);
}

/** Emulator of Debian's qemu-user-static, and the folder of its libc6-, libstdc++6- and libatomic1-arm64-cross. */
const QEMU = '/usr/bin/qemu-aarch64-static';
const ARM64_ROOT = '/usr/aarch64-linux-gnu';
const ARM64_NEEDS = [
  QEMU,
  ...['libc.so.6', 'libstdc++.so.6', 'libatomic.so.1'].map((name) => `${ARM64_ROOT}/lib/${name}`),
];

function runArm64(binary: string, fuzz: Fuzz): Answer[] {
  if (process.arch === 'arm64') return runNode(binary, fuzz);
  const missing = ARM64_NEEDS.filter((file) => !existsSync(file));
  if (missing.length === 0) return runNode(binary, fuzz, [QEMU, '-L', ARM64_ROOT]);
  console.log(
    `skipped arm64: missing ${missing.join(', ')} (Debian: apt-get install qemu-user-static ` +
      'libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross)',
  );
  return [];
}

/** Files of the page: a worker computes, because a page's own thread may not wait for others. */
const PAGE_FILES: Readonly<Record<string, string>> = {
  '/': '<!doctype html><title>check</title>',
  '/serve.js': `import { serve } from '/engine/wasm/worker.js';
    self.onmessage = ({ data }) => serve(data);`,
  '/testing.js':
    `export * from '/engine/wasm/testing/kernel-bench.js';` +
    `export * from '/engine/wasm/testing/kernel-cases.js';` +
    `export * from '/engine/wasm/testing/kernel-fuzz.js';`,
  '/run.js':
    `import * as engine from '/engine/wasm/index.js';` +
    `import * as testing from '/testing.js';
    ${PROGRAM}
    const spawnWorker = (start) => {
      const worker = new Worker('/serve.js', { type: 'module' });
      worker.postMessage(start);
      return worker;
    };
    self.onmessage = ({ data }) =>
      answers(engine, testing, spawnWorker, data).then(
        (report) => postMessage({ report }),
        (error) => postMessage({ error: String(error) }),
      );`,
};

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '': 'text/html' };

/** Serves the page and the engine, cross-origin isolated so that memory can be shared. */
async function servePage(): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, response) => {
    const path = normalize(request.url ?? '/');
    const body =
      PAGE_FILES[path] ??
      (path.startsWith('/engine/') ? readFileSync(join(engineDist, path.slice(8)), 'utf8') : '');
    response.writeHead(200, {
      'content-type': TYPES[extname(path)] ?? 'text/plain',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function runChromium(executablePath: string, fuzz: Fuzz): Promise<Answer[]> {
  const { server, origin } = await servePage();
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(timeoutMs(fuzz));
    await page.goto(origin);
    const message = (await page.evaluate(
      `new Promise((resolve) => {
        const worker = new Worker('/run.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message });
        worker.postMessage(${JSON.stringify(fuzz)});
      })`,
    )) as { report?: Report; error?: string };
    if (message.report === undefined) throw new Error(`the page failed: ${message.error}`);
    return named(`chromium ${browser.version()}`, message.report);
  } finally {
    await browser.close();
    server.close();
  }
}

/** Values given for an option, in order. */
function optionValues(name: string): string[] {
  const { argv } = process;
  return argv.flatMap((argument, i) => (argument === name && argv[i + 1] ? [argv[i + 1]!] : []));
}

async function main(): Promise<void> {
  const [cases = String(CASES_DEFAULT)] = optionValues('--cases');
  const [seed = '1'] = optionValues('--seed');
  const fuzz: Fuzz = { cases: Number(cases), seed: Number(seed) };
  const answers: Answer[] = [];
  const add = (found: readonly Answer[]): void => {
    for (const { runtime, fingerprint } of found) console.log(`${fingerprint}  ${runtime}`);
    answers.push(...found);
  };
  for (const file of [process.execPath, ...optionValues('--node')]) add(runNode(file, fuzz));
  for (const file of optionValues('--arm64')) add(runArm64(file, fuzz));
  for (const file of optionValues('--chromium')) add(await runChromium(file, fuzz));
  const distinct = new Set(answers.map(({ fingerprint }) => fingerprint));
  console.log(
    `at least ${fuzz.cases} random cases of every kernel from seed ${fuzz.seed}: as the reference`,
  );
  console.log(distinct.size === 1 ? 'identical' : 'DIFFERENT');
  if (distinct.size !== 1) process.exitCode = 1;
}

await main();
