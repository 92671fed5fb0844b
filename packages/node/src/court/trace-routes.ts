/**
 * A provider's trace over HTTP. Whoever holds the receipt knows the key of its trace, and shows it: rows of a trace are
 * functions of the prompt, so nobody else may read them.
 *
 *     POST /v1/jobs/{id}/trace                           {"jobId","root","signature"}, signed once and for ever
 *     GET  /v1/jobs/{id}/trace/positions                 {"positions":[{"salt","root"}]}
 *     GET  /v1/jobs/{id}/trace/positions/{t}             {"rows":["0x.."]}
 *     GET  /v1/jobs/{id}/trace/positions/{t}/rows/{n}    {"leaves":["0x.."]}
 */
import type { TraceSource } from '@assay/compute';
import {
  AssayError,
  computeDomain,
  type Hex,
  hashTrace,
  isHexOf,
  type ReceiptEnvelope,
  toHex,
  traceKey,
} from '@assay/protocol';
import { type Context, Hono } from 'hono';

export type TraceRoutesOptions = {
  readonly receipt: (jobId: Hex) => ReceiptEnvelope | undefined;
  readonly source: (envelope: ReceiptEnvelope) => TraceSource;
  readonly sign: (digest: Hex) => Promise<Hex>;
  /** Seconds for which nobody may see the trace, because verifiers commit themselves to its root; undefined if none. */
  readonly closedFor?: (jobId: Hex) => Promise<number | undefined>;
};

export function traceRoutes({ receipt, source, sign, closedFor }: TraceRoutesOptions): Hono {
  const app = new Hono();
  const asked = async (context: Context): Promise<ReceiptEnvelope> => {
    const jobId = context.req.param('jobId')!.toLowerCase();
    const envelope = isHexOf(jobId, 32) ? receipt(jobId) : undefined;
    const key = /^Bearer (0x[0-9a-f]{64})$/i.exec(context.req.header('authorization') ?? '')?.[1];
    // The same answer for unknown jobs and wrong keys: who has no key learns nothing about which jobs there were.
    if (envelope === undefined || key?.toLowerCase() !== traceKey(envelope.salt))
      throw notFound(jobId);
    const seconds = await closedFor?.(envelope.jobId);
    if (seconds !== undefined) {
      context.header('retry-after', String(seconds));
      throw auditOpen(jobId);
    }
    return envelope;
  };
  app.post('/v1/jobs/:jobId/trace', async (context) => {
    const envelope = await asked(context);
    const root = toHex(await source(envelope).root());
    const domain = computeDomain(envelope.chainId, envelope.contract);
    const { jobId } = envelope;
    return context.json({ jobId, root, signature: await sign(hashTrace(domain, { jobId, root })) });
  });
  app.get('/v1/jobs/:jobId/trace/positions', async (context) => {
    const positions = await source(await asked(context)).positions();
    return context.json({
      positions: positions.map(({ salt, root }) => ({ salt: toHex(salt), root: toHex(root) })),
    });
  });
  app.get('/v1/jobs/:jobId/trace/positions/:t', async (context) => {
    const rows = await source(await asked(context)).rows(numberOf(context.req.param('t')));
    return context.json({ rows: rows.map(toHex) });
  });
  app.get('/v1/jobs/:jobId/trace/positions/:t/rows/:node', async (context) => {
    const { t, node } = context.req.param();
    const leaves = await source(await asked(context)).leaves(numberOf(t), numberOf(node));
    return context.json({ leaves: leaves.map(toHex) });
  });
  return app;
}

function numberOf(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new AssayError({
    code: 'trace_out_of_range',
    fault: 'user',
    message: 'Positions and rows are whole numbers.',
    value: text,
    remedy: 'Ask for the positions first; rows are numbered as the nodes of the graph.',
  });
}

const auditOpen = (jobId: string): AssayError =>
  new AssayError({
    code: 'audit_open',
    fault: 'user',
    message: 'This receipt is audited, and verifiers still commit themselves to what they find.',
    value: jobId,
    remedy: 'Ask again after the time in Retry-After.',
  });

const notFound = (jobId: string): AssayError =>
  new AssayError({
    code: 'receipt_not_found',
    fault: 'user',
    message: 'No receipt of this job is kept here, or the key is not that of its trace.',
    value: jobId,
    remedy: 'Send `authorization: Bearer KEY` with the trace key of the receipt.',
  });
