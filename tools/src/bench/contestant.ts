/**
 * One side of a comparison in a process of its own: it answers one task at a time, one line of JSON each way, and
 * sleeps in between, so that the other side has the machine. Each answer says how long the task took on the clock and
 * on processors.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type Task =
  /** A new sequence of so many tokens, logits of the last one only. */
  | { readonly do: 'prefill'; readonly tokens: number }
  /** So many tokens one by one after what the sequence has, each chosen greedily. */
  | { readonly do: 'decode'; readonly tokens: number }
  /** So many tokens for each of so many requests at once, each after a prompt of its own. */
  | { readonly do: 'concurrent'; readonly requests: number; readonly tokens: number }
  /** Bytes of memory that the process had at most. */
  | { readonly do: 'peak' };

export type Answer = {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Tokens computed, or bytes for `peak`. */
  readonly count: number;
};

export type Contestant = {
  ask(task: Task): Promise<Answer>;
  stop(): void;
};

/** Starts `module`, a file of this folder that calls {@link answerTasks}, and waits until it is ready. */
export async function startContestant(
  module: string,
  parameters: { readonly file: string; readonly threads: number },
): Promise<Contestant> {
  const program = fileURLToPath(new URL(module, import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(parameters)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  await nextLine(child, lines);
  return {
    async ask(task) {
      child.stdin.write(`${JSON.stringify(task)}\n`);
      return JSON.parse(await nextLine(child, lines)) as Answer;
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

function nextLine(child: ChildProcess, lines: Interface): Promise<string> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a contestant ended with ${code}`));
    child.once('exit', ended);
    lines.once('line', (line) => {
      child.off('exit', ended);
      resolve(line);
    });
  });
}

/** The child's side: `work` does a task and returns its count. */
export async function answerTasks(work: (task: Task) => Promise<number>): Promise<void> {
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const count = await work(JSON.parse(line) as Task);
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const answer: Answer = { seconds, cpuSeconds: (user + system) / 1e6, count };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

/** Most resident memory of this process so far. */
export const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

export const parameters = () =>
  JSON.parse(process.argv[2]!) as { readonly file: string; readonly threads: number };

/** Prompt token `i` of request `request`; any will do, but both sides take the same. */
export const promptToken = (i: number, request = 0): number =>
  300 + ((i * 37 + request * 101) % 40_000);

/** Tokens of a concurrent request before its answer. */
export const CONCURRENT_PROMPT = 32;
