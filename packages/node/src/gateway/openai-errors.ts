/** Errors in the shape OpenAI clients read: `{error: {message, type, param, code}}`, all four keys always there. */
import type { ServerResponse } from 'node:http';
import { AssayError } from '@assay/protocol';
import type { Context } from 'hono';
import { discardBody, httpStatus, RETRY_AFTER_SECONDS } from '../http-errors.js';

export type OpenAiError = {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
};

/** A request that the caller must change. */
export class ParameterError extends AssayError {
  readonly param: string | null;
  constructor(options: {
    code: string;
    message: string;
    param: string | null;
    value?: string;
    remedy?: string;
  }) {
    super({ ...options, fault: 'user' });
    this.param = options.param;
  }
}

/** A body that is not JSON, under the name that clients know. */
export const notJson = (start: string): ParameterError =>
  new ParameterError({
    code: 'invalid_json',
    message: 'The body is not JSON.',
    param: null,
    value: start,
    remedy: 'Send one JSON object with content-type application/json.',
  });

/**
 * Failures that the client acts on although it did not cause them. Everything else that a provider answers is the
 * provider's fault or the gateway's, never the request's: a client must not be told to change what it sent.
 */
const CLIENT_STATUS: Readonly<Record<string, number>> = {
  context_length_exceeded: 400,
  funds_missing: 402,
  channel_empty: 402,
  queue_full: 429,
};

/** HTTP status of an error for OpenAI clients. */
function statusOf(error: AssayError): number {
  const client = CLIENT_STATUS[error.code];
  if (client !== undefined) return client;
  if (error.fault === 'user') return httpStatus(error);
  const own = httpStatus(error);
  return own >= 500 ? own : 502;
}

function errorType(error: AssayError): string {
  const status = statusOf(error);
  if (status === 429) return 'rate_limit_error';
  if (status === 402) return 'insufficient_quota';
  return status < 500 ? 'invalid_request_error' : 'api_error';
}

/** The body for an error; ours are named, our own mistakes show nothing of their insides. */
export function openAiError(error: unknown): OpenAiError {
  if (!(error instanceof AssayError)) {
    return {
      error: {
        message: 'The gateway made a mistake; it is in its log.',
        type: 'api_error',
        param: null,
        code: 'internal_error',
      },
    };
  }
  const parts = [error.message, error.value && `(${error.value})`, error.remedy];
  return {
    error: {
      message: parts.filter(Boolean).join(' '),
      type: errorType(error),
      param: error instanceof ParameterError ? error.param : null,
      code: error.code,
    },
  };
}

/** Status and headers of an answer with the error. 429 says when to try again. */
function headOf(error: unknown): { status: number; headers: Readonly<Record<string, string>> } {
  if (!(error instanceof AssayError)) return { status: 500, headers: {} };
  const isFull = error.code === 'queue_full';
  return {
    status: statusOf(error),
    headers: isFull ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {},
  };
}

/** Answers with the error. */
export function respondOpenAiError(context: Context, error: unknown): Response {
  discardBody(context);
  const { status, headers } = headOf(error);
  return context.json(openAiError(error), status as 400, headers);
}

/** As {@link respondOpenAiError}, on Node's own response; nothing was sent on it yet. */
export function sendOpenAiError(outgoing: ServerResponse, error: unknown): void {
  if (outgoing.headersSent || outgoing.destroyed) return;
  const { status, headers } = headOf(error);
  const body = JSON.stringify(openAiError(error));
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  outgoing.end(body);
}
