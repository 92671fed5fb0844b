/**
 * What a gateway adds to a request: ours (voucher, receipt and both signatures included) and the Portkey gateway, each
 * against the same engine behind a bare server, in one run, taking turns.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeHome, startNetwork } from '@assay/simulation';
import { canReadProcessorTime, childrenNamed, processorTimeMs } from './processor-time.js';
import { type BenchReport, type BenchRow, row } from './report.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MODEL = join(ROOT, 'models', 'assay-mini.gguf');
const PORTKEY = join(ROOT, 'bench', 'portkey');

/** Requests per target one after another, and how many come before them: a gateway is a process that has run a while. */
const SEQUENTIAL = 300;
const WARMUP = 200;

/** Slices of requests per target with {@link PARALLEL} in flight. */
const SLICES = 8;
const SLICE = 100;
const PARALLEL = 16;

type Target = {
  readonly name: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  /** Processes that work for a request. */
  readonly pids: readonly number[];
};

export async function benchGateway(): Promise<BenchReport> {
  const bare = spawn(
    process.execPath,
    [fileURLToPath(new URL('./bare-provider.js', import.meta.url)), MODEL],
    PIPED,
  );
  const portkeyPort = 30_000 + Math.floor(Math.random() * 10_000);
  const portkey = startPortkey(portkeyPort);
  const network = await startNetwork({ args: ['--check-share', '0'] });
  try {
    const { url: bareUrl } = await readLine(bare);
    await untilAnswers(`http://127.0.0.1:${portkeyPort}`);
    const roles = canReadProcessorTime
      ? childrenNamed(network.process.pid!, ['provider', 'gateway'])
      : [];
    const portkeyUrl = `http://127.0.0.1:${portkeyPort}`;
    const targets: Target[] = [
      { name: 'bare', url: bareUrl, headers: {}, pids: [bare.pid!] },
      { name: 'ours', url: network.url, headers: {}, pids: roles },
      {
        name: 'portkey',
        url: portkeyUrl,
        headers: portkeyHeaders(bareUrl),
        pids: [portkey.pid!, bare.pid!],
      },
    ];
    return await measureAll(targets);
  } finally {
    bare.kill('SIGKILL');
    portkey.kill('SIGKILL');
    await network.stop();
    removeHome(network.home);
  }
}

const PIPED = { stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'] };

async function measureAll(targets: readonly Target[]): Promise<BenchReport> {
  const times = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
  for (let round = -WARMUP; round < SEQUENTIAL; round++) {
    for (const target of targets) {
      const ms = await ask(target);
      if (round >= 0) times.get(target.name)!.push(ms);
    }
  }
  const loads = await loadAll(targets);
  const rateOf = (name: string): number => loads.get(name)!.rate;
  const costs = new Map([...loads].map(([name, { cost }]) => [name, cost]));
  const at = (name: string, share: number): number => quantile(times.get(name)!, share);
  const added = (name: string, share: number): number => at(name, share) - at('bare', share);
  return {
    name: 'gateway',
    rows: [
      row('bare provider p50', at('bare', 0.5), null, 'ms'),
      row('added p50', added('ours', 0.5), added('portkey', 0.5), 'ms (less is better)'),
      row('added p99', added('ours', 0.99), added('portkey', 0.99), 'ms (less is better)'),
      row('requests per second, 16 in flight', rateOf('ours'), rateOf('portkey'), 'requests/s'),
      row('bare requests per second, 16 in flight', rateOf('bare'), null, 'requests/s'),
      ...(canReadProcessorTime ? costRows(costs) : []),
    ],
  };
}

const costSoFar = ({ pids }: Target): number => (canReadProcessorTime ? processorTimeMs(pids) : 0);

/** Processor time of all processes behind an answer, engine included. */
const costRows = (costs: ReadonlyMap<string, number>): BenchRow[] => [
  row(
    'processor time per request',
    costs.get('ours')!,
    costs.get('portkey')!,
    'ms (less is better)',
  ),
  row('bare processor time per request', costs.get('bare')!, null, 'ms'),
];

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ]!;

const BODY = JSON.stringify({
  model: 'assay-mini',
  max_tokens: 1,
  messages: [{ role: 'user', content: 'Hi' }],
});
const agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });

/** Milliseconds from sending to the last byte; throws unless the answer is 200. */
function ask({ url, headers }: Target): Promise<number> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(BODY),
          ...headers,
        },
      },
      (answer) => {
        let text = '';
        answer.on('data', (part: Buffer) => {
          text += part.toString();
        });
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(performance.now() - started);
          else reject(new Error(`HTTP ${answer.statusCode} from ${url}: ${text.slice(0, 200)}`));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(BODY);
  });
}

type Load = { readonly rate: number; readonly cost: number };

/** Median requests per second, and processor time per request, of slices that take turns. */
async function loadAll(targets: readonly Target[]): Promise<ReadonlyMap<string, Load>> {
  const rates = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
  const costs = new Map<string, number>(targets.map(({ name }) => [name, 0]));
  for (let slice = 0; slice < SLICES; slice++) {
    for (const target of targets) {
      const before = costSoFar(target);
      rates.get(target.name)!.push(await rate(target));
      costs.set(target.name, costs.get(target.name)! + costSoFar(target) - before);
    }
  }
  return new Map(
    targets.map(({ name }) => [
      name,
      { rate: quantile(rates.get(name)!, 0.5), cost: costs.get(name)! / (SLICES * SLICE) },
    ]),
  );
}

/** Requests per second of one slice. */
async function rate(target: Target): Promise<number> {
  let left = SLICE;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (left-- > 0) await ask(target);
    }),
  );
  return SLICE / ((performance.now() - started) / 1_000);
}

function startPortkey(port: number): ChildProcess {
  const program = join(
    PORTKEY,
    'node_modules',
    '@portkey-ai',
    'gateway',
    'build',
    'start-server.js',
  );
  if (!existsSync(program)) {
    const options = { cwd: PORTKEY, stdio: 'inherit' as const };
    spawnSync(
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
      options,
    );
  }
  return spawn(process.execPath, [program, `--port=${port}`, '--headless'], { stdio: 'ignore' });
}

const portkeyHeaders = (bareUrl: string): Record<string, string> => ({
  'x-portkey-provider': 'openai',
  'x-portkey-custom-host': `${bareUrl}/v1`,
  authorization: 'Bearer none',
});

function readLine(child: ChildProcess): Promise<{ url: string }> {
  return new Promise((resolve) =>
    createInterface({ input: child.stdout! }).once('line', (line) =>
      resolve(JSON.parse(line) as { url: string }),
    ),
  );
}

async function untilAnswers(url: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not answer`);
}
