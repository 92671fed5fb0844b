/**
 * Runs a conversation against the gateway: asks, streams, stops, and collects the receipt of what
 * was delivered.
 */
import { useCallback, useEffect, useReducer, useRef } from 'react';
import { type CompletionEvent, readCompletion } from '../completion.js';
import {
  applyEvent,
  type Conversation,
  type ConversationEvent,
  isRunning,
  newerHalf,
  restore,
  toMessages,
} from '../conversation.js';
import { readReceipt, startCompletion, toAssayError } from '../gateway.js';
import { readStored, writeStored } from '../theme.js';

const KEY = 'assay.conversation';

/**
 * After a stop the provider still signs a receipt for what it delivered; these are the waits before
 * each look.
 */
const RECEIPT_WAITS_MS = [250, 500, 1000, 2000, 4000, 8000] as const;

/** OpenAI's code for a prompt that does not fit. */
const CONTEXT_FULL = 'context_length_exceeded';

type Dispatch = (event: ConversationEvent) => void;

export type ConversationActions = {
  readonly conversation: Conversation;
  readonly running: boolean;
  readonly ask: (question: string, model: string) => void;
  readonly stop: () => void;
  readonly clear: () => void;
  readonly dispatch: Dispatch;
};

export function useConversation(): ConversationActions {
  const [conversation, dispatch] = useReducer(applyEvent, null, () => restore(readStored(KEY)));
  const running = isRunning(conversation.at(-1));
  const current = useRef<AbortController | null>(null);
  const past = useRef(conversation);
  past.current = conversation;

  useEffect(() => {
    if (!running) writeStored(KEY, JSON.stringify(conversation));
  }, [conversation, running]);

  const ask = useCallback((question: string, model: string): void => {
    if (isRunning(past.current.at(-1))) return;
    const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const controller = new AbortController();
    current.current = controller;
    dispatch({ type: 'asked', key, question, model, nowMs: Date.now() });
    run({ key, question, model, past: past.current, signal: controller.signal, dispatch });
  }, []);
  const stop = useCallback((): void => current.current?.abort(), []);
  const clear = useCallback((): void => {
    current.current?.abort();
    dispatch({ type: 'cleared' });
  }, []);
  return { conversation, running, ask, stop, clear, dispatch };
}

type RunParameters = {
  readonly key: string;
  readonly question: string;
  readonly model: string;
  readonly past: Conversation;
  readonly signal: AbortSignal;
  readonly dispatch: Dispatch;
};

/** One question to its end, whatever that is. */
async function run(parameters: RunParameters): Promise<void> {
  const { key, signal, dispatch } = parameters;
  let jobId: string | null = null;
  try {
    const response = await start(parameters);
    jobId = response.headers.get('x-assay-receipt');
    if (jobId !== null) dispatch({ type: 'accepted', key, jobId });
    if (response.body === null) throw new Error('The answer has no body.');
    await readCompletion(response.body, (event) => {
      dispatch(stamped(event, key));
    });
  } catch (error) {
    dispatch(signal.aborted ? { type: 'stopped', key, nowMs: Date.now() } : failed(key, error));
    if (jobId !== null) await collectReceipt(key, jobId, dispatch);
  }
}

/** An event of the stream as one of the conversation; some of those carry the time. */
const stamped = (event: CompletionEvent, key: string): ConversationEvent =>
  event.type === 'text' || event.type === 'done'
    ? { ...event, key, nowMs: Date.now() }
    : { ...event, key };

/**
 * Sends the question; when the context is full, once more with half of the past, and half of that.
 */
async function start(parameters: RunParameters): Promise<Response> {
  const { key, question, model, signal, dispatch } = parameters;
  let { past } = parameters;
  for (;;) {
    try {
      return await startCompletion({ model, messages: toMessages(past, question), signal });
    } catch (error) {
      if (toAssayError(error).code !== CONTEXT_FULL || past.length === 0) throw error;
      past = newerHalf(past);
      dispatch({ type: 'omitted', key, count: parameters.past.length - past.length });
    }
  }
}

function failed(key: string, error: unknown): ConversationEvent {
  const { code, message, remedy } = toAssayError(error);
  return { type: 'failed', key, failure: { code, message, remedy }, nowMs: Date.now() };
}

/** Shows what a stopped or broken answer cost, as soon as its receipt is there. */
async function collectReceipt(key: string, jobId: string, dispatch: Dispatch): Promise<void> {
  for (const waitMs of RECEIPT_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    const answer = await readReceipt(jobId).catch(() => null);
    if (answer === null) continue;
    const { job, receipt } = answer.envelope;
    const usage = { inputCount: job.inputCount, outputCount: receipt.outputCount };
    dispatch({ type: 'usage', key, usage });
    const { provider, modelId: model } = job;
    dispatch({
      type: 'receipt',
      key,
      receipt: { id: jobId, price: receipt.price, provider, model },
    });
    return;
  }
}
