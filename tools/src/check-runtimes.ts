/**
 * One fixed random model and prompt on several runtimes: the fingerprint of the logits must be the same on each Node
 * binary and in a Chromium page, with one thread and with two. Run:
 * node tools/dist/check-runtimes.js [--node FILE]... [--chromium FILE]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

type Answer = { readonly runtime: string; readonly fingerprint: string };

const engineDist = join(dirname(fileURLToPath(import.meta.url)), '../../packages/engine/dist');

/** Most time for one runtime: start, compile, about a second of work. */
const RUNTIME_MS_MAX = 120_000;

/** Both runtimes run this text; only how a worker is started and how the answer is given differs. */
const PROGRAM = `
async function answers(engine, spawnWorker) {
  const results = [];
  const model = engine.selfTestModel();
  for (const threads of [1, 2]) {
    const backend = engine.createWasmBackend({ threads, spawnWorker });
    backend.load(model);
    while (backend.threadCount(model) < threads) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const fingerprint = engine.fingerprint(engine.selfTestLogits(backend, model));
    results.push({ threads: backend.threadCount(model), fingerprint });
    backend.dispose();
  }
  return results;
}`;

type Row = { readonly threads: number; readonly fingerprint: string };

const named = (runtime: string, rows: readonly Row[]): Answer[] =>
  rows.map(({ threads, fingerprint }) => ({
    runtime: `${runtime}, ${threads} thread(s)`,
    fingerprint,
  }));

function runNode(binary: string): Answer[] {
  const url = (file: string) => JSON.stringify(new URL(`file://${join(engineDist, file)}`).href);
  const program = `
    import { Worker } from 'node:worker_threads';
    import * as engine from ${url('wasm/index.js')};
    ${PROGRAM}
    const text = 'import { workerData } from "node:worker_threads"; import { serve } from ' +
      ${JSON.stringify(url('wasm/worker.js'))} + '; serve(workerData);';
    const spawnWorker = (start) => {
      const file = new URL('data:text/javascript,' + encodeURIComponent(text));
      const worker = new Worker(file, { workerData: start });
      worker.unref();
      return worker;
    };
    console.log(JSON.stringify({ version: process.version, rows: await answers(engine, spawnWorker) }));
    process.exit(0);`;
  const output = execFileSync(binary, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    timeout: RUNTIME_MS_MAX,
  });
  const { version, rows } = JSON.parse(output) as { version: string; rows: Row[] };
  return named(`node ${version}`, rows);
}

/** Files of the page: a worker computes, because a page's own thread may not wait for others. */
const PAGE_FILES: Readonly<Record<string, string>> = {
  '/': '<!doctype html><title>check</title>',
  '/serve.js': `import { serve } from '/engine/wasm/worker.js';
    self.onmessage = ({ data }) => serve(data);`,
  '/run.js': `import * as engine from '/engine/wasm/index.js';
    ${PROGRAM}
    const spawnWorker = (start) => {
      const worker = new Worker('/serve.js', { type: 'module' });
      worker.postMessage(start);
      return worker;
    };
    answers(engine, spawnWorker).then(
      (rows) => postMessage({ rows }),
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

async function runChromium(executablePath: string): Promise<Answer[]> {
  const { server, origin } = await servePage();
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(RUNTIME_MS_MAX);
    await page.goto(origin);
    const message = (await page.evaluate(
      `new Promise((resolve) => {
        const worker = new Worker('/run.js', { type: 'module' });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve({ error: message });
      })`,
    )) as { rows?: Row[]; error?: string };
    if (message.rows === undefined) throw new Error(`the page failed: ${message.error}`);
    return named(`chromium ${browser.version()}`, message.rows);
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
  const answers = [process.execPath, ...optionValues('--node')].flatMap(runNode);
  for (const file of optionValues('--chromium')) answers.push(...(await runChromium(file)));
  for (const { runtime, fingerprint } of answers) console.log(`${fingerprint}  ${runtime}`);
  const distinct = new Set(answers.map(({ fingerprint }) => fingerprint));
  console.log(distinct.size === 1 ? 'identical' : 'DIFFERENT');
  if (distinct.size !== 1) process.exitCode = 1;
}

await main();
