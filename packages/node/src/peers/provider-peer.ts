/** A provider at the other end of an HTTP connection, as `compute` wants to see it. */
import { decodeEnvelope, decodeJobEvent, type ProviderPeer } from '@assay/compute';
import {
  AssayError,
  decodeJson,
  encodeJson,
  type Hex,
  type JobEvent,
  type JobRefused,
  type JobRequest,
  type ProviderInfo,
} from '@assay/protocol';
import {
  ANSWER_BYTES_MAX,
  fetchJson,
  openAnswer,
  parseError,
  peerError,
  peerUnreachable,
  readBody,
  refusal,
} from './http-client.js';
import { takeJobConnection } from './job-connections.js';
import { type LineReader, lineReader } from './lines.js';

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

/** The lines of a job, and what to do with what carries them once the job is over or given up. */
type JobLines = {
  readonly lines: LineReader;
  readonly close: (isOver: boolean) => void;
  /** True if the stream ends with the job; else the next job's lines follow. */
  readonly endsItself: boolean;
};

async function* startJob(endpoint: string, request: JobRequest): AsyncGenerator<JobEvent, void> {
  const { lines, close, endsItself } = await openJob(endpoint, encodeJson(request));
  let hasBegun = false;
  let isOver = false;
  try {
    for (let line = await lines.next(); line !== undefined; line = await lines.next()) {
      hasBegun = true;
      const message = decodeJson(line);
      isOver = isLast(message);
      if (isRefused(message)) throw refusalOf(endpoint, message);
      yield decodeJobEvent(message);
      if (isOver && !endsItself) return;
    }
  } catch (cause) {
    if (cause instanceof AssayError) throw cause;
    throw hasBegun ? providerStopped(endpoint, cause) : peerUnreachable(endpoint, cause);
  } finally {
    close(isOver);
  }
}

async function openJob(endpoint: string, body: string): Promise<JobLines> {
  const connection = await takeJobConnection(endpoint, LINE_LENGTH_MAX);
  if (connection === undefined) return postJob(endpoint, body);
  const { lines, release, send } = connection;
  send(body);
  return { lines, close: release, endsItself: false };
}

/** The job as a request of its own, for providers that take no others. */
async function postJob(endpoint: string, body: string): Promise<JobLines> {
  const url = `${endpoint}/v1/jobs`;
  const answer = await openAnswer({ method: 'POST', url, body, timeoutMs: STREAM_SILENCE_MS });
  if (answer.statusCode !== 200) {
    const text = (await readBody(answer, ANSWER_BYTES_MAX)).toString('utf8');
    throw refusal(url, answer, parseError(text));
  }
  return {
    lines: lineReader(answer, { lengthMax: LINE_LENGTH_MAX }),
    close: () => void (answer.complete || answer.destroy()),
    endsItself: true,
  };
}

const typeOf = (message: unknown): unknown => (message as { type?: unknown } | null)?.type;

const isRefused = (message: unknown): message is JobRefused => typeOf(message) === 'refused';

/** True for what ends a job: nothing else of it follows. */
function isLast(message: unknown): boolean {
  const type = typeOf(message);
  return type === 'receipt' || type === 'error' || type === 'refused';
}

const refusalOf = (endpoint: string, { status, error }: JobRefused): AssayError =>
  refusal(endpoint, { statusCode: status, headers: {} }, peerError(error));

const providerStopped = (endpoint: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'provider_failed',
    fault: 'peer',
    message: 'The provider stopped before the answer was complete.',
    value: endpoint,
    remedy: 'Ask again; only what arrived was paid.',
    cause,
  });
