import { AssayError, type Fault } from '@assay/protocol';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { ParameterError, respondOpenAiError } from './openai-errors.js';

async function answerTo(error: unknown) {
  const app = new Hono().get('/', (context) => respondOpenAiError(context, error));
  const response = await app.request('/');
  const { error: body } = (await response.json()) as { error: { type: string; code: string } };
  return { status: response.status, type: body.type, code: body.code, headers: response.headers };
}

const failure = (code: string, fault: Fault) => new AssayError({ code, fault, message: 'No.' });

/** What a provider answers or does, none of it the request's fault. */
const PEER_CODES = [
  'peer_lied',
  'price_refused',
  'wrong_signature',
  'wrong_recipient',
  'commitment_mismatch',
  'channel_unfit',
  'model_unavailable',
  'model_not_found',
  'payment_missing',
  'lane_busy',
  'lane_unpaid',
  'job_repeated',
  'job_expired',
  'job_not_found',
  'voucher_stale',
  'malformed_message',
  'invalid_api_key',
  'engine_failed',
  'receipt_invalid',
  'request_too_large',
  'code_that_a_stranger_made_up',
];

describe('respondOpenAiError', () => {
  it.each(PEER_CODES)('a provider that answers %s is a 502', async (code) => {
    expect(await answerTo(failure(code, 'peer'))).toMatchObject({
      status: 502,
      type: 'api_error',
      code,
    });
  });

  it.each([
    ['no_provider', 503],
    ['chain_unreachable', 503],
    ['engine_failed', 503],
    ['transaction_reverted', 503],
  ])('our own %s is a %i', async (code, status) => {
    expect(await answerTo(failure(code, 'platform'))).toMatchObject({ status, type: 'api_error' });
  });

  it.each([
    ['queue_full', 'peer', 429, 'rate_limit_error'],
    ['queue_full', 'platform', 429, 'rate_limit_error'],
    ['funds_missing', 'platform', 402, 'insufficient_quota'],
    ['channel_empty', 'peer', 402, 'insufficient_quota'],
    ['context_length_exceeded', 'peer', 400, 'invalid_request_error'],
    ['receipt_not_found', 'user', 404, 'invalid_request_error'],
    ['chat_refused_by_template', 'user', 400, 'invalid_request_error'],
  ] as const)('%s (%s) stays %i', async (code, fault, status, type) => {
    expect(await answerTo(failure(code, fault))).toMatchObject({ status, type });
  });

  it('says when to come back', async () => {
    expect((await answerTo(failure('queue_full', 'peer'))).headers.get('retry-after')).toBe('1');
  });

  it('a wrong parameter is a 400, and a missing model a 404', async () => {
    const wrong = (code: string) => new ParameterError({ code, message: 'No.', param: 'model' });
    expect(await answerTo(wrong('invalid_value'))).toMatchObject({ status: 400 });
    expect(await answerTo(wrong('model_not_found'))).toMatchObject({ status: 404 });
  });

  it('shows nothing of our own mistakes', async () => {
    const answer = await answerTo(new Error('secret'));
    expect(answer).toMatchObject({ status: 500, type: 'api_error', code: 'internal_error' });
    expect(JSON.stringify(answer)).not.toContain('secret');
  });
});
