/**
 * The threads of the trainer and the memory that they share. A phase is a list of independent
 * tasks taken in any order by any thread; no result depends on who took it, so one thread and two
 * give the same bits. It knows tasks, not why they are run.
 */

import { Worker } from 'node:worker_threads';
import { compileKernel, type Kernel, openKernel, PAGES_MAX } from './kernel.js';
import { exponential, naturalLog, sineCosine } from './numbers.js';
import {
  CONTEXT,
  countParameters,
  HEAD_SIZE,
  listSpans,
  ROPE_BASE,
  type Shape,
  type Span,
} from './shape.js';

/** Byte addresses of everything in the shared memory. */
export type Layout = {
  readonly shape: Shape;
  readonly groups: number;
  readonly spans: readonly Span[];
  readonly control: number;
  readonly knobs: number;
  readonly results: number;
  readonly table: number;
  readonly inputs: number;
  readonly parameters: number;
  readonly first: number;
  readonly second: number;
  readonly gradients: number;
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly bytes: number;
};

/** Values that a phase reads. */
export type Knobs = {
  readonly scale: number;
  readonly clip: number;
  readonly step1: number;
  readonly root2: number;
  readonly decay: number;
};

export type Phase = 'gradient' | 'reduce' | 'update';

export type Crew = {
  readonly layout: Layout;
  readonly memory: WebAssembly.Memory;
  readonly kernel: Kernel;
  /** Runs a phase and returns one number per task, in task order. */
  readonly run: (phase: Phase, knobs: Partial<Knobs>) => readonly number[];
  readonly close: () => Promise<void>;
};

export type ThreadData = {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly thread: number;
};

export const BETA1 = 0.9;
export const BETA2 = 0.98;
const ADAM_EPSILON = 1e-8;
const PAGE_BYTES = 65_536;
/** First byte used: the compiler's own data lies below. */
const BASE = PAGE_BYTES;
const PHASES: readonly Phase[] = ['gradient', 'reduce', 'update'];
/** Control words: turn number, next task (with its turn), tasks done, phase. */
const TURN = 0;
const NEXT = 1;
const DONE = 2;
const PHASE = 3;
const STOP = -1;
/** The next-task word is turn * TASK_SPAN + task, so that a late thread never takes another turn's task. */
const TASK_SPAN = 4096;

/** Compiles the kernels, lays out memory and starts `threads - 1` workers beside this thread. */
export async function openCrew(options: {
  readonly shape: Shape;
  readonly groups: number;
  readonly threads: number;
}): Promise<Crew> {
  const module = await compileKernel();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES_MAX, shared: true });
  const probe = openKernel(module, { memory, shape: options.shape, table: 0, scratch: 0 });
  const layout = planLayout(options, 4 * probe.scratchFloats());
  memory.grow(Math.ceil(layout.bytes / PAGE_BYTES));
  writeRotaryTable(memory, layout.table);
  const kernel = openThread({ module, memory, layout, thread: 0 });
  const workers = Array.from({ length: options.threads - 1 }, (_, index) => {
    const workerData: ThreadData = { module, memory, layout, thread: index + 1 };
    return new Worker(new URL('../../dist/make-model/thread.js', import.meta.url), { workerData });
  });
  return {
    layout,
    memory,
    kernel,
    run: (phase, knobs) => runPhase({ memory, layout, kernel }, phase, knobs),
    close: async () => {
      announce(memory, layout, STOP);
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** A kernel bound to one thread's scratch. */
export function openThread(data: ThreadData): Kernel {
  const scratch = data.layout.scratch + data.thread * data.layout.scratchBytes;
  const { shape, table } = data.layout;
  return openKernel(data.module, { memory: data.memory, shape, table, scratch });
}

/** A worker's life: waits for a turn, takes tasks until none is left, until told to stop. */
export function serveTurns(data: ThreadData): void {
  const kernel = openThread(data);
  const control = controlWords(data.memory, data.layout);
  for (let turn = 0; ; ) {
    Atomics.wait(control, TURN, turn);
    turn = Atomics.load(control, TURN);
    const phase = Atomics.load(control, PHASE);
    if (phase === STOP) return;
    takeTasks({ ...data, kernel }, PHASES[phase]!, turn);
  }
}

type Bench = {
  readonly memory: WebAssembly.Memory;
  readonly layout: Layout;
  readonly kernel: Kernel;
};

function runPhase(bench: Bench, phase: Phase, knobs: Partial<Knobs>): readonly number[] {
  const { memory, layout } = bench;
  const { scale = 0, clip = 0, step1 = 0, root2 = 0, decay = 0 } = knobs;
  new Float64Array(memory.buffer, layout.knobs, 5).set([scale, clip, step1, root2, decay]);
  const count = taskCount(layout, phase);
  const turn = announce(memory, layout, PHASES.indexOf(phase));
  takeTasks(bench, phase, turn);
  const control = controlWords(memory, layout);
  for (let done = Atomics.load(control, DONE); done < count; done = Atomics.load(control, DONE)) {
    Atomics.wait(control, DONE, done);
  }
  return [...new Float64Array(memory.buffer, layout.results, count)];
}

function announce(memory: WebAssembly.Memory, layout: Layout, phase: number): number {
  const control = controlWords(memory, layout);
  const turn = Atomics.load(control, TURN) + 1;
  Atomics.store(control, PHASE, phase);
  Atomics.store(control, DONE, 0);
  Atomics.store(control, NEXT, turn * TASK_SPAN);
  Atomics.store(control, TURN, turn);
  Atomics.notify(control, TURN);
  return turn;
}

function takeTasks(bench: Bench, phase: Phase, turn: number): void {
  const control = controlWords(bench.memory, bench.layout);
  const count = taskCount(bench.layout, phase);
  const results = new Float64Array(bench.memory.buffer, bench.layout.results, count);
  const end = turn * TASK_SPAN + count;
  for (let next = Atomics.load(control, NEXT); ; next = Atomics.load(control, NEXT)) {
    if (next < turn * TASK_SPAN || next >= end) return;
    if (Atomics.compareExchange(control, NEXT, next, next + 1) !== next) continue;
    const task = next - turn * TASK_SPAN;
    results[task] = runTask(bench, phase, task);
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
}

function runTask({ memory, layout, kernel }: Bench, phase: Phase, task: number): number {
  const knobs = new Float64Array(memory.buffer, layout.knobs, 5);
  const stride = 4 * countParameters(layout.shape);
  if (phase === 'gradient') {
    const inputs = groupInputs(layout, task);
    return kernel.gradient(
      layout.parameters,
      layout.gradients + task * stride,
      inputs.tokens,
      inputs.positions,
      inputs.targets,
      inputs.weights,
      layout.shape.rows,
      knobs[0]!,
    );
  }
  const span = layout.spans[task]!;
  const floats = span.rows * span.columns;
  const offset = 4 * span.offset;
  if (phase === 'reduce') {
    return kernel.reduce(layout.gradients + offset, stride, layout.groups, floats);
  }
  kernel.adamw(
    layout.parameters + offset,
    layout.first + offset,
    layout.second + offset,
    layout.gradients + offset,
    floats,
    knobs[1]!,
    knobs[2]!,
    knobs[3]!,
    BETA1,
    BETA2,
    ADAM_EPSILON,
    span.rows === 1 ? 0 : knobs[4]!,
  );
  return 0;
}

/** Addresses of one group's token ids, positions, targets and loss weights. */
export function groupInputs(
  layout: Layout,
  group: number,
): Record<'tokens' | 'positions' | 'targets' | 'weights', number> {
  const row = 4 * layout.shape.rows;
  const tokens = layout.inputs + group * 4 * row;
  return { tokens, positions: tokens + row, targets: tokens + 2 * row, weights: tokens + 3 * row };
}

function taskCount(layout: Layout, phase: Phase): number {
  return phase === 'gradient' ? layout.groups : layout.spans.length;
}

function controlWords(memory: WebAssembly.Memory, layout: Layout): Int32Array {
  return new Int32Array(memory.buffer, layout.control, 4);
}

function planLayout(
  options: { readonly shape: Shape; readonly groups: number; readonly threads: number },
  scratchBytes: number,
): Layout {
  const { shape, groups, threads } = options;
  const spans = listSpans(shape);
  let bytes = BASE;
  const take = (size: number): number => {
    const start = bytes;
    bytes += Math.ceil(size / 64) * 64;
    return start;
  };
  const model = 4 * countParameters(shape);
  const roundScratch = Math.ceil(scratchBytes / 64) * 64;
  return {
    shape,
    groups,
    spans,
    control: take(16),
    knobs: take(40),
    results: take(8 * Math.max(groups, spans.length)),
    table: take(4 * CONTEXT * HEAD_SIZE),
    inputs: take(groups * 16 * shape.rows),
    parameters: take(model),
    first: take(model),
    second: take(model),
    gradients: take(groups * model),
    scratch: take(threads * roundScratch),
    scratchBytes: roundScratch,
    bytes,
  };
}

function writeRotaryTable(memory: WebAssembly.Memory, address: number): void {
  const pairs = HEAD_SIZE / 2;
  const table = new Float32Array(memory.buffer, address, CONTEXT * HEAD_SIZE);
  for (let pair = 0; pair < pairs; pair++) {
    const frequency = exponential((-pair / pairs) * naturalLog(ROPE_BASE));
    for (let position = 0; position < CONTEXT; position++) {
      const { sine, cosine } = sineCosine(position * frequency);
      table[position * HEAD_SIZE + pair] = cosine;
      table[position * HEAD_SIZE + pairs + pair] = sine;
    }
  }
}
