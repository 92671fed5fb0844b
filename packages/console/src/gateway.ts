/**
 * The gateway's HTTP surface as this page uses it. Every failure becomes one {@link AssayError}.
 * Answers are shown, never signed or paid, so their shape is taken as promised; what a receipt
 * proves is decoded strictly by the checking worker. Amounts stay decimal strings here and become
 * text in `format`.
 */
import {
  type Address,
  AssayError,
  type Fault,
  type Json,
  type ReceiptEnvelope,
} from '@assay/protocol';
import { KEY_REFUSED, keyHeader, readApiKey } from './api-key.js';
import { createSseParser } from './sse.js';

export type EnvelopeJson = Json<ReceiptEnvelope>;

/**
 * Outcome of a re-execution of one receipt. Tokens are ids, or text when the gateway knows the
 * tokenizer.
 */
export type Check = {
  /** `invalid`: the receipt contradicts itself; `unavailable`: nobody could check it. */
  readonly result: 'identical' | 'different' | 'invalid' | 'unavailable';
  readonly position?: number;
  readonly expected?: number | string;
  readonly found?: number | string;
  /** What differs, if it is no token. */
  readonly part?: 'logprobs' | 'embedding';
  readonly verifier?: string;
  readonly seconds?: number;
  readonly reason?: string;
};

export type ReceiptAnswer = {
  readonly envelope: EnvelopeJson;
  readonly check: Check | null;
  readonly createdAt: number;
  readonly audits?: readonly AuditAnswer[];
};

/** What one drawn verifier said of a receipt; amounts in atomic units. */
export type AuditReport = {
  readonly place: number;
  readonly verifier: string;
  readonly finding: 'right' | 'wrong' | 'abstained' | null;
  readonly root: string | null;
  readonly outcome: 'paid' | 'unpaid' | 'absent' | 'forfeited' | null;
  readonly amount: string;
};

export type AuditAnswer = {
  /** Null until the chain says which receipt it is. */
  readonly jobId: string | null;
  readonly provider: string;
  readonly epoch: string;
  readonly index: string;
  readonly drawnAt: number;
  readonly root: string | null;
  readonly planted: boolean;
  readonly reports: readonly AuditReport[];
};

export type NetworkProvider = {
  readonly address: string;
  readonly endpoint: string | null;
  /** Model ids. */
  readonly models: readonly string[];
  readonly stake: string;
  readonly earned: string;
  readonly online: boolean;
};

export type NetworkAnswer = {
  readonly chain: { readonly id: number; readonly rpc: string; readonly block: number };
  readonly gateway: { readonly url: string };
  readonly contracts: Readonly<Record<string, string>> & { readonly receipts: Address };
  readonly providers: readonly NetworkProvider[];
  readonly requests: {
    readonly count: number;
    readonly tokens: number;
    readonly paid: string;
    readonly verified: number;
    readonly different?: number;
  };
  readonly audits?: {
    readonly audits: number;
    readonly right: number;
    readonly wrong: number;
    readonly fees: string;
    readonly lost: string;
    readonly seats: number;
  };
  readonly money?: readonly Pot[];
};

/**
 * Money of one token in one contract, in atomic units: what came in, what left, what must still be
 * there.
 */
export type Pot = {
  readonly contract: string;
  readonly address: string;
  readonly deposited: string;
  readonly settled: string;
  readonly refunded: string;
  readonly withdrawn: string;
  readonly slashed: string;
  /** Fees of audits. */
  readonly charged?: string;
  readonly held: string;
  /** Everything that came in either left or is held, to the last atomic unit. */
  readonly balanced: boolean;
};

export type ActivityItem = {
  readonly jobId: string;
  readonly model: string;
  readonly provider: string;
  readonly inputCount: number;
  readonly outputCount: number;
  readonly price: string;
  readonly createdAt: number;
  readonly finish: number | string;
  readonly check: Check | null;
};

/** Most rows of recent requests that the page keeps. */
export const ACTIVITY_ITEMS_MAX = 50;

/** A gateway that has not begun to answer by then is treated as away. */
const ANSWER_TIMEOUT_MS = 10_000;

/** A check re-executes the whole answer, on a machine that may be busy. */
const CHECK_TIMEOUT_MS = 180_000;

/** A model that can be asked for: by `id`, which is its name where names are unique. */
export type ListedModel = { readonly id: string; readonly model_id?: string };

export async function listModels(): Promise<readonly ListedModel[]> {
  return (await request<{ data: readonly ListedModel[] }>('/v1/models')).data;
}

export const readNetwork = (): Promise<NetworkAnswer> => request('/v1/network');

export async function listActivity(): Promise<readonly ActivityItem[]> {
  const path = `/v1/network/activity?limit=${ACTIVITY_ITEMS_MAX}`;
  return (await request<{ items: readonly ActivityItem[] }>(path)).items;
}

/** Audits that the page shows at once. */
const AUDITS_MAX = 20;

export async function listAudits(): Promise<readonly AuditAnswer[]> {
  const path = `/v1/audits?limit=${AUDITS_MAX}`;
  return (await request<{ audits: readonly AuditAnswer[] }>(path)).audits;
}

/** A number of a trace. */
export type Place = {
  readonly position: number;
  readonly node: number;
  readonly op: string;
  /** From 0; null before the first layer and after the last. */
  readonly layer: number | null;
  readonly layerCount: number;
  readonly head: number;
  readonly index: number;
};

/** Which number was wrong, as the verifier found it. */
export type Finding = {
  readonly kind: string;
  /** Null if the receipt alone contradicts its job. */
  readonly place: Place | null;
  readonly expected: number | null;
  readonly found: number | null;
};

/** One case of the court; amounts in atomic units. */
export type DisputeAnswer = {
  readonly jobId: string;
  readonly provider: string;
  readonly state: string;
  readonly kind: number | null;
  readonly steps: readonly {
    readonly name: string;
    readonly block: number;
    readonly transaction: string;
  }[];
  readonly money: {
    readonly taken: string;
    readonly refund: string;
    readonly bounty: string;
    readonly kept: string;
  } | null;
  readonly case: {
    readonly finding?: Finding;
    readonly steps: readonly {
      readonly move: string;
      readonly transaction: string;
      readonly gas: string;
    }[];
  } | null;
};

export const listDisputes = async (): Promise<readonly DisputeAnswer[]> =>
  (await request<{ disputes: readonly DisputeAnswer[] }>('/v1/disputes')).disputes;

export const readReceipt = (jobId: string): Promise<ReceiptAnswer> =>
  request(`/v1/receipts/${encodeURIComponent(jobId)}`);

/** Asks an independent verifier of the network to re-execute the job. */
export const requestCheck = (jobId: string): Promise<Check> =>
  request(`/v1/receipts/${encodeURIComponent(jobId)}/check`, {
    method: 'POST',
    timeoutMs: CHECK_TIMEOUT_MS,
  });

/** Opens an answer's stream; the body is read by `readCompletion`. */
export async function startCompletion(parameters: {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly signal: AbortSignal;
}): Promise<Response> {
  const { model, messages, signal } = parameters;
  const body = { model, messages, stream: true, stream_options: { include_usage: true } };
  const response = await send('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await readFailure(response);
  return response;
}

/**
 * Follows the network's events until they end or `signal` says so; rejects when they cannot be had.
 * Not an `EventSource`, because that cannot send a key.
 */
export async function followEvents(parameters: {
  readonly signal: AbortSignal;
  readonly onOpen: () => void;
  readonly onEvent: (data: string) => void;
}): Promise<void> {
  const { signal, onOpen, onEvent } = parameters;
  const headers = { accept: 'text/event-stream' };
  const response = await send('/v1/network/events', { headers, signal, cache: 'no-store' });
  if (!response.ok || response.body === null) throw await readFailure(response);
  onOpen();
  const parser = createSseParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read())
    for (const data of parser.push(part.value)) onEvent(data);
}

type RequestOptions = { readonly method?: string; readonly timeoutMs?: number };

async function request<T>(path: string, options: RequestOptions = {}): Promise<T> {
  const signal = AbortSignal.timeout(options.timeoutMs ?? ANSWER_TIMEOUT_MS);
  const response = await send(path, { method: options.method ?? 'GET', signal });
  if (!response.ok) throw await readFailure(response);
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw brokenAnswer(path, cause);
  }
}

/** Every request goes through here: to the address that the page came from, with the key if there is one. */
async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    const headers = { ...init.headers, ...keyHeader(readApiKey()) };
    return await fetch(path, { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted === true && !isTimeout(init.signal)) throw cause;
    throw unreachable(path, cause);
  }
}

const isTimeout = (signal: AbortSignal): boolean =>
  signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';

/** Reads `{error: {message, code, remedy?}}`, the OpenAI shape with our additions. */
async function readFailure(response: Response): Promise<AssayError> {
  const text = await response.text().catch(() => '');
  return failureOf(parseObject(text).error, response.status);
}

/** The error of a body or of a stream's error frame. */
export function failureOf(error: unknown, status = 0): AssayError {
  const fields = typeof error === 'object' && error !== null ? (error as ErrorFields) : {};
  const message = typeof error === 'string' ? error : fields.message;
  return new AssayError({
    code: String(fields.code ?? fields.type ?? (status > 0 ? `http_${status}` : 'stream_failed')),
    message: message ?? `The gateway refused with status ${status}.`,
    fault: faultOf(status),
    remedy: fields.remedy ?? remedyOf(status, fields.code),
  });
}

function remedyOf(status: number, code: unknown): string | undefined {
  if (status === 429) return 'Wait a moment, then ask again.';
  return code === KEY_REFUSED ? 'Give this page a key with the button at the top.' : undefined;
}

type ErrorFields = { message?: string; code?: unknown; type?: unknown; remedy?: string };

const faultOf = (status: number): Fault =>
  status >= 400 && status < 500 && status !== 429 ? 'user' : 'platform';

function parseObject(text: string): { error?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

const unreachable = (path: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'gateway_unreachable',
    message: 'The gateway does not answer.',
    fault: 'platform',
    value: path,
    remedy: 'See whether the network still runs (npm start); this page reconnects by itself.',
    cause,
  });

const brokenAnswer = (path: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'gateway_answer_broken',
    message: 'The gateway answered with something that is not JSON.',
    fault: 'peer',
    value: path,
    remedy: 'See whether this address really is a gateway of Assay.',
    cause,
  });

/** Any failure as an {@link AssayError}; what we did not foresee keeps its own words. */
export const toAssayError = (error: unknown): AssayError =>
  error instanceof AssayError
    ? error
    : new AssayError({
        code: 'page_failed',
        message: error instanceof Error ? error.message : String(error),
        fault: 'platform',
        cause: error,
      });
