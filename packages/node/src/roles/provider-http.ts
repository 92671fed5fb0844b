/**
 * A provider's HTTP surface (see `wire.ts` in protocol): jobs as newline-delimited JSON, vouchers, receipts, model
 * files.
 */
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import {
  admitJob,
  cancelJob,
  computeErrors,
  decodeJobRequest,
  decodeSignedVoucher,
  payJob,
} from '@assay/compute';
import { AssayError, encodeJson, type Hex, isHexOf, type ProviderInfo } from '@assay/protocol';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { gatherWrites } from '../gathered-writes.js';
import { readIncomingJson, respondError } from '../http-errors.js';
import { assertRoom, JOB_BYTES_MAX, type JobStreamOptions, writeJob } from './job-stream.js';

const VOUCHER_BYTES_MAX = 4 * 1024;

export type ProviderHttpOptions = JobStreamOptions & {
  readonly info: () => ProviderInfo;
  readonly modelPath: (modelId: Hex) => string | undefined;
  /** What the provider says of its traces. */
  readonly traces?: Hono;
};

export function providerApp(options: ProviderHttpOptions): Hono<{ Bindings: HttpBindings }> {
  const { provider, log } = options;
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.onError((error, context) => {
    if (!(error instanceof AssayError))
      log.error({ error: String(error), stack: error.stack }, 'request failed');
    return respondError(context, error);
  });
  app.notFound((context) =>
    context.json({ error: { code: 'not_found', message: 'No such address.' } }, 404),
  );
  app.get('/v1/provider', (context) => context.body(encodeJson(options.info()), 200, JSON_TYPE));
  app.post('/v1/jobs', async (context) => {
    const { incoming, outgoing } = context.env;
    assertRoom(options);
    const body = await readIncomingJson(incoming, { bytesMax: JOB_BYTES_MAX });
    const admitted = await admitJob(provider, decodeJobRequest(body));
    void writeJob(options, admitted, {
      stream: outgoing,
      lines: gatherWrites(outgoing, { 'content-type': 'application/x-ndjson' }),
    });
    return RESPONSE_ALREADY_SENT;
  });
  app.post('/v1/jobs/:jobId/vouchers', async (context) => {
    const body = await readIncomingJson(context.env.incoming, { bytesMax: VOUCHER_BYTES_MAX });
    const voucher = decodeSignedVoucher(body);
    const lane = await payJob(provider, idOf(context.req.param('jobId')), voucher);
    const accepted = { lane: lane.lane, maxClaimableAmount: lane.paid };
    return context.body(encodeJson(accepted), 200, JSON_TYPE);
  });
  app.delete('/v1/jobs/:jobId', (context) => {
    const id = idOf(context.req.param('jobId'));
    return context.json({ cancelled: cancelJob(provider, id) });
  });
  app.get('/v1/receipts/:jobId', (context) => {
    const envelope = provider.store.loadReceipt(idOf(context.req.param('jobId')));
    if (envelope === undefined) throw receiptNotFound(context.req.param('jobId'));
    return context.body(encodeJson(envelope), 200, JSON_TYPE);
  });
  app.get('/v1/models/:modelId/file', (context) => {
    const path = options.modelPath(idOf(context.req.param('modelId')));
    if (path === undefined) throw computeErrors.modelUnknown(context.req.param('modelId'));
    return fileResponse(path);
  });
  if (options.traces !== undefined) app.route('/', options.traces);
  return app;
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;

function idOf(text: string): Hex {
  if (!isHexOf(text, 32)) throw computeErrors.malformedMessage('id', text);
  return text.toLowerCase() as Hex;
}

const receiptNotFound = (id: string): AssayError =>
  new AssayError({
    code: 'receipt_not_found',
    fault: 'user',
    message: 'No receipt of this job is kept here.',
    value: id,
    remedy: 'Check the id; a job gets its receipt when it ends.',
  });

/** The file as a stream with its length; model files never change, so caches may keep them. */
export function fileResponse(path: string): Response {
  const { size } = statSync(path);
  return new Response(Readable.toWeb(createReadStream(path)) as ReadableStream, {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'cache-control': 'public, max-age=31536000, immutable',
    },
  });
}
