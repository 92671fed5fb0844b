/** A provider's trace, asked for over HTTP. Answers are bytes of a stranger: sizes are limited, shapes are checked. */
import type { SignedTrace, TraceSource } from '@assay/compute';
import {
  AssayError,
  fromHex,
  type Hex,
  isHexOf,
  type ReceiptEnvelope,
  traceKey,
} from '@assay/protocol';

/** Time for one answer; the first one has the provider compute the trace. */
const ROOT_TIMEOUT_MS = 600_000;
const ANSWER_TIMEOUT_MS = 120_000;

/** Bytes of one answer: the leaves of a row of logits of the largest vocabulary, as hex, with room. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Lets so many milliseconds pass. */
export type Pause = (ms: number) => Promise<void>;

export type TracePeer = TraceSource & {
  /** The provider's signed root. */
  readonly signed: () => Promise<SignedTrace>;
};

/**
 * The trace of a receipt at its provider. Every failure is `trace_unanswered`. While verifiers commit themselves to it
 * the provider may refuse (`audit_open`), for at most `auditSeconds`; it is believed once.
 */
export function tracePeer(
  endpoint: string,
  envelope: ReceiptEnvelope,
  { auditSeconds, pause }: { readonly auditSeconds: number; readonly pause: Pause },
): TracePeer {
  const base = `${endpoint.replace(/\/$/, '')}/v1/jobs/${envelope.jobId}/trace`;
  const headers = { authorization: `Bearer ${traceKey(envelope.salt)}` };
  const patience = createPatience(auditSeconds, pause);
  const ask = async (path: string, init: RequestInit, timeoutMs: number): Promise<Answer> => {
    try {
      const send = (): Promise<Response> =>
        fetch(`${base}${path}`, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) });
      let response = await send();
      while (response.status === AUDIT_OPEN_STATUS && (await patience(response)))
        response = await send();
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return (await readJson(response)) as Answer;
    } catch (cause) {
      throw unanswered(path === '' ? 'root' : path, cause);
    }
  };
  const get = (path: string) => ask(path, {}, ANSWER_TIMEOUT_MS);
  let root: Promise<SignedTrace> | undefined;
  const signed = (): Promise<SignedTrace> => {
    root ??= ask('', { method: 'POST' }, ROOT_TIMEOUT_MS).then((answer) => {
      if (!isHexOf(answer.root, 32) || typeof answer.signature !== 'string')
        throw unanswered('root', 'malformed');
      return { root: answer.root, signature: answer.signature as Hex };
    });
    return root;
  };
  return {
    signed,
    root: async () => fromHex((await signed()).root),
    positions: async () =>
      listOf((await get('/positions')).positions).map((entry) => {
        const { salt, root: inner } = entry as { salt: unknown; root: unknown };
        return { salt: bytesOf(salt), root: bytesOf(inner) };
      }),
    rows: async (t) => listOf((await get(`/positions/${t}`)).rows).map(bytesOf),
    leaves: async (t, node) =>
      listOf((await get(`/positions/${t}/rows/${node}`)).leaves).map(bytesOf),
  };
}

/** Of `audit_open`. */
const AUDIT_OPEN_STATUS = 409;

/** Clocks of chains count whole seconds. */
const AUDIT_SLACK_SECONDS = 2;

/** Waits as long as the first refusal says, and no longer for later ones; false once that time is over. */
function createPatience(secondsMax: number, pause: Pause): (refusal: Response) => Promise<boolean> {
  let untilMs: number | undefined;
  return async (refusal) => {
    const told = Number(refusal.headers.get('retry-after') ?? Number.NaN);
    if (!(told >= 0)) return false;
    const seconds = Math.min(told, secondsMax) + AUDIT_SLACK_SECONDS;
    untilMs ??= Date.now() + seconds * 1_000;
    const leftMs = untilMs - Date.now();
    if (leftMs <= 0) return false;
    await pause(Math.min(leftMs, seconds * 1_000));
    return true;
  };
}

type Answer = Readonly<Record<'root' | 'signature' | 'positions' | 'rows' | 'leaves', unknown>>;

async function readJson(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) throw new Error(`more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unanswered('list', 'malformed');
  return value;
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(value))
    throw unanswered('bytes', 'malformed');
  return fromHex(value as Hex);
}

const unanswered = (what: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'trace_unanswered',
    fault: 'peer',
    message: `The provider did not answer about its trace (${what}).`,
    value: cause instanceof Error ? cause.message : String(cause),
    remedy: 'Open a dispute: on chain it has to answer or loses by its clock.',
    cause,
  });
