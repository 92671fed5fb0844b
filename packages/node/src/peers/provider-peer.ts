/** A provider at the other end of an HTTP connection, as `compute` wants to see it. */
import { decodeEnvelope, decodeJobEvent, type ProviderPeer } from '@assay/compute';
import {
  AssayError,
  decodeJson,
  encodeJson,
  type Hex,
  type JobEvent,
  type JobRequest,
  type ProviderInfo,
} from '@assay/protocol';
import { ANSWER_BYTES_MAX, fetchJson, openAnswer, readBody, refusal } from './http-client.js';
import { readLines } from './lines.js';

/** Silence in a stream after which the provider counts as dead. */
const STREAM_SILENCE_MS = 60_000;

/** An event is some tokens with what was asked about them, at most 1 MiB of detail as hexadecimal text. */
const LINE_LENGTH_MAX = 4 * 1024 * 1024;

export const providerPeer = (endpoint: string): ProviderPeer => ({
  start: (request) => startJob(endpoint, request),
  pay: async (jobId, voucher) => {
    await fetchJson({
      method: 'POST',
      url: `${endpoint}/v1/jobs/${jobId}/vouchers`,
      body: encodeJson(voucher),
    });
  },
  cancel: async (jobId) => {
    await fetchJson({ method: 'DELETE', url: `${endpoint}/v1/jobs/${jobId}` });
  },
  receipt: async (jobId: Hex) => {
    try {
      return decodeEnvelope(await fetchJson({ url: `${endpoint}/v1/receipts/${jobId}` }));
    } catch (error) {
      if (error instanceof AssayError && error.code === 'receipt_not_found') return undefined;
      throw error;
    }
  },
});

/** What the provider says about itself. */
export const fetchProviderInfo = async (endpoint: string): Promise<ProviderInfo> =>
  (await fetchJson({ url: `${endpoint}/v1/provider`, timeoutMs: 5_000 })) as ProviderInfo;

async function* startJob(endpoint: string, request: JobRequest): AsyncGenerator<JobEvent, void> {
  const url = `${endpoint}/v1/jobs`;
  const body = encodeJson(request);
  const answer = await openAnswer({ method: 'POST', url, body, timeoutMs: STREAM_SILENCE_MS });
  if (answer.statusCode !== 200)
    throw refusal(url, answer, (await readBody(answer, ANSWER_BYTES_MAX)).toString('utf8'));
  try {
    for await (const line of readLines(answer, LINE_LENGTH_MAX))
      yield decodeJobEvent(decodeJson(line));
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw new AssayError({
      code: 'provider_failed',
      fault: 'peer',
      message: 'The provider stopped before the answer was complete.',
      value: endpoint,
      remedy: 'Ask again; only what arrived was paid.',
      cause,
    });
  } finally {
    if (!answer.complete) answer.destroy();
  }
}
