/** Errors in the shape OpenAI clients read: `{error: {message, type, param, code}}`, all four keys always there. */
import { AssayError } from '@assay/protocol';
import type { Context } from 'hono';
import { httpStatus, RETRY_AFTER_SECONDS } from '../http-errors.js';

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

function errorType(error: AssayError): string {
  if (error.code === 'queue_full') return 'rate_limit_error';
  if (error.code === 'channel_empty' || error.code === 'funds_missing') return 'insufficient_quota';
  return error.fault === 'user' || error.code === 'context_length_exceeded'
    ? 'invalid_request_error'
    : 'api_error';
}

/** Codes of peers that the client itself can mend. */
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  funds_missing: 402,
  context_length_exceeded: 400,
  payment_missing: 502,
};

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

/** Answers with the error. 429 says when to try again. */
export function respondOpenAiError(context: Context, error: unknown): Response {
  const body = openAiError(error);
  if (!(error instanceof AssayError)) return context.json(body, 500);
  if (error.code === 'queue_full') context.header('retry-after', String(RETRY_AFTER_SECONDS));
  const status = STATUS_BY_CODE[error.code] ?? httpStatus(error);
  return context.json(body, status as 400);
}
