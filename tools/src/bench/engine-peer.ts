/** llama.cpp as a contestant (see contestant.ts): the same file, threads and tasks. */
import {
  answerTasks,
  CONCURRENT_PROMPT,
  parameters,
  peakBytes,
  promptToken,
  type Task,
} from './contestant.js';
import { type LlamaContext, type LlamaModel, type LlamaSequence, loadLlamaModel } from './llama.js';

const CONTEXT = 1024;

const { file, threads } = parameters();
const model = await loadLlamaModel(file, threads);
const single = (await contextFor(model, 1)).getSequence();
let many: readonly LlamaSequence[] | undefined;
let last = promptToken(0);

async function work(task: Task): Promise<number> {
  if (task.do === 'peak') return peakBytes();
  if (task.do === 'prefill') return prefill(task.tokens);
  if (task.do === 'decode') {
    for (let i = 0; i < task.tokens; i++) last = await step(single, last);
    return task.tokens;
  }
  return concurrent(task.requests, task.tokens);
}

async function prefill(count: number): Promise<number> {
  await single.clearHistory();
  const tokens = Array.from({ length: count }, (_, i) => promptToken(i));
  last = await stepAfter(single, tokens);
  return count;
}

/** The first call makes the sequences and their prompts and is not to be measured. */
async function concurrent(requests: number, count: number): Promise<number> {
  if (many === undefined) {
    const context = await contextFor(model, requests);
    many = Array.from({ length: requests }, () => context.getSequence());
    await Promise.all(
      many.map((sequence, request) =>
        stepAfter(
          sequence,
          Array.from({ length: CONCURRENT_PROMPT }, (_, i) => promptToken(i, request)),
        ),
      ),
    );
  }
  await Promise.all(
    many.map(async (sequence, request) => {
      let token = promptToken(0, request);
      for (let i = 0; i < count; i++) token = await step(sequence, token);
    }),
  );
  return requests * count;
}

function contextFor(from: LlamaModel, sequences: number): Promise<LlamaContext> {
  return from.createContext({
    contextSize: CONTEXT,
    batchSize: 512,
    sequences,
    threads: { ideal: threads, min: threads },
  });
}

const step = (sequence: LlamaSequence, token: number): Promise<number> =>
  stepAfter(sequence, [token]);

/** Appends tokens and chooses the next one greedily. */
async function stepAfter(sequence: LlamaSequence, tokens: readonly number[]): Promise<number> {
  const generateNext = { token: true, options: { temperature: 0 } };
  const input = [...tokens.slice(0, -1), [tokens.at(-1)!, { generateNext }] as const];
  const output = await sequence.controlledEvaluate(input);
  return output.at(-1)?.next.token ?? promptToken(1);
}

await answerTasks(work);
process.exit(0);
