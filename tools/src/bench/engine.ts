/**
 * Speed of the engine against llama.cpp: one random model file of 135M parameters in Q8_0, the same threads, one run.
 * The two sides take turns in short slices, so that whatever else the machine does hits both; figures are medians of
 * slices. CPU seconds are given as well: they are what is left of a comparison on a machine that is not idle.
 */
import { type Contestant, startContestant, type Task } from './contestant.js';
import { installLlama } from './llama.js';
import { memoryBytesPerSecond } from './memory-speed.js';
import { bytesPerToken, MODEL_135M, macsPerToken, randomFile } from './random-file.js';
import { type BenchReport, type BenchRow, row } from './report.js';

/** Unless `--threads N` is given, any number of times. */
const THREADS = [1, 2];
const PREFILL_TOKENS = 512;
const DECODE_TOKENS = 64;
/** Tokens of one slice of decoding. */
const SLICE_TOKENS = 16;
const REQUESTS = 8;
const ROUNDS = 5;
/** On a busy machine a round can take minutes; after this long the rounds so far must do. */
const ROUNDS_MS_MAX = 90_000;

/** Ours, and the peer if it can be installed. */
type Sides = { readonly ours: Contestant; readonly peer: Contestant | null };

type Speed = { readonly perSecond: number; readonly perCpuSecond: number };
type Pair = { readonly ours: Speed; readonly peer: Speed | null };

export async function benchEngine(options: readonly string[] = []): Promise<BenchReport> {
  const file = randomFile();
  const hasPeer = installLlama();
  if (!hasPeer)
    process.stderr.write('llama.cpp cannot be installed here; ours is measured alone.\n');
  const rows: BenchRow[] = [];
  for (const threads of threadsOf(options)) {
    const parameters = { file, threads };
    const ours = await startContestant('./engine-ours.js', parameters);
    const peer = hasPeer ? await startContestant('./engine-peer.js', parameters) : null;
    try {
      rows.push(...(await measure({ ours, peer }, threads)));
    } finally {
      ours.stop();
      peer?.stop();
    }
  }
  return { name: 'engine', rows };
}

function threadsOf(options: readonly string[]): readonly number[] {
  const given = options.flatMap((option, i) =>
    option === '--threads' ? [Number(options[i + 1])] : [],
  );
  return given.length > 0 ? given : THREADS;
}

async function measure(sides: Sides, threads: number): Promise<BenchRow[]> {
  const label = threads === 1 ? '1 thread' : `${threads} threads`;
  await warmUp(sides);
  const { prefill, decode } = await measureSingle(sides);
  const concurrent = await slices(sides, {
    do: 'concurrent',
    requests: REQUESTS,
    tokens: SLICE_TOKENS,
  });
  const { body, head } = macsPerToken(MODEL_135M);
  const memory = await memoryBytesPerSecond(threads);
  return [
    tokenRow(`decode ${label}`, decode),
    tokenRow(`prefill ${label}`, prefill),
    tokenRow(`concurrent ${REQUESTS} requests, ${label}`, concurrent),
    cpuRow(`cpu: decode ${label}`, decode),
    cpuRow(`cpu: prefill ${label}`, prefill),
    cpuRow(`cpu: concurrent ${REQUESTS} requests, ${label}`, concurrent),
    scaledRow(`arithmetic: decode ${label}`, decode, {
      factor: (body + head) / 1e9,
      unit: 'GMAC/s',
    }),
    scaledRow(`arithmetic: prefill ${label}`, prefill, { factor: body / 1e9, unit: 'GMAC/s' }),
    scaledRow(`weights read: decode ${label}`, decode, {
      factor: bytesPerToken(MODEL_135M) / 1e9,
      unit: 'GB/s',
    }),
    row(`memory bandwidth, ${label}`, memory / 1e9, null, 'GB/s'),
    await peakRow(sides, `peak memory, ${label}`),
  ];
}

/** Compilers and caches settle before anything counts. */
async function warmUp({ ours, peer }: Sides): Promise<void> {
  for (const side of [ours, peer]) {
    await side?.ask({ do: 'prefill', tokens: PREFILL_TOKENS });
    await side?.ask({ do: 'decode', tokens: SLICE_TOKENS });
    await side?.ask({ do: 'concurrent', requests: REQUESTS, tokens: 1 });
  }
}

/** Every round: a prompt on each side, then decoding after it in turns. */
async function measureSingle(sides: Sides): Promise<{ prefill: Pair; decode: Pair }> {
  const prefill: Samples = { ours: [], peer: [] };
  const decode: Samples = { ours: [], peer: [] };
  for (const _ of rounds()) {
    await turn(sides, { do: 'prefill', tokens: PREFILL_TOKENS }, prefill);
    for (let done = 0; done < DECODE_TOKENS; done += SLICE_TOKENS) {
      await turn(sides, { do: 'decode', tokens: SLICE_TOKENS }, decode);
    }
  }
  return { prefill: pairOf(prefill), decode: pairOf(decode) };
}

/** So many rounds, or what fits into the time. */
function* rounds(): Generator<number> {
  const end = performance.now() + ROUNDS_MS_MAX;
  for (let round = 0; round < ROUNDS && performance.now() < end; round++) yield round;
}

async function slices(sides: Sides, task: Task): Promise<Pair> {
  const samples: Samples = { ours: [], peer: [] };
  for (const _ of rounds()) await turn(sides, task, samples);
  return pairOf(samples);
}

type Samples = { readonly ours: Speed[]; readonly peer: Speed[] };

async function turn({ ours, peer }: Sides, task: Task, samples: Samples): Promise<void> {
  samples.ours.push(await speedOf(ours, task));
  if (peer !== null) samples.peer.push(await speedOf(peer, task));
}

async function speedOf(side: Contestant, task: Task): Promise<Speed> {
  const { seconds, cpuSeconds, count } = await side.ask(task);
  return { perSecond: count / seconds, perCpuSecond: count / cpuSeconds };
}

const pairOf = ({ ours, peer }: Samples): Pair => ({
  ours: medianSpeed(ours),
  peer: peer.length === 0 ? null : medianSpeed(peer),
});

const medianSpeed = (samples: readonly Speed[]): Speed => ({
  perSecond: median(samples.map(({ perSecond }) => perSecond)),
  perCpuSecond: median(samples.map(({ perCpuSecond }) => perCpuSecond)),
});

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

const tokenRow = (name: string, pair: Pair): BenchRow =>
  scaledRow(name, pair, { factor: 1, unit: 'tokens/s' });

const scaledRow = (
  name: string,
  { ours, peer }: Pair,
  { factor, unit }: { readonly factor: number; readonly unit: string },
): BenchRow =>
  row(name, ours.perSecond * factor, peer === null ? null : peer.perSecond * factor, unit);

const cpuRow = (name: string, { ours, peer }: Pair): BenchRow =>
  row(name, ours.perCpuSecond, peer === null ? null : peer.perCpuSecond, 'tokens/CPU second');

async function peakRow({ ours, peer }: Sides, name: string): Promise<BenchRow> {
  const megabytes = async (side: Contestant) => (await side.ask({ do: 'peak' })).count / 1e6;
  return row(
    name,
    await megabytes(ours),
    peer === null ? null : await megabytes(peer),
    'MB (less is better)',
  );
}
