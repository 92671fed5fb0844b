/**
 * Where a provider, or a gateway that bought from it, shows a drawn receipt to the verifiers that were drawn for it.
 *
 *     POST /v1/audits   {"provider","epoch","index","place","expiresAt","signature"} -> {"envelope","proof"}
 *
 * The signature is that of the seat's holder over an `AuditRequest` (docs/reference/messages.md). Tokens are private:
 * whoever may not have them gets one and the same answer, whatever there is.
 */
import { computeErrors, readHolder } from '@assay/compute';
import {
  AssayError,
  type AuditRequest,
  auditDomain,
  encodeJson,
  type Hex,
  hashAuditRequest,
  isHexOf,
} from '@assay/protocol';
import { Hono } from 'hono';
import type { ChainAccess } from '../chain-access.js';
import { readRequestJson } from '../http-errors.js';
import { isSignedBy } from '../signatures.js';
import type { AuditedReceipt } from './audit-duty.js';

/** A request is six small fields. */
const REQUEST_BYTES_MAX = 1_024;

/** Longest life of a request: it is used at once, between clocks that differ a little. */
export const REQUEST_SECONDS_MAX = 300;

const PLACE_MAX = 255;

export type AuditRoutesOptions = {
  /** Whose receipts are shown (default: of whoever the request names). */
  readonly provider?: Hex;
  /** Whether there may be something to show: before the chain is asked who may see it. */
  readonly mayKnow?: (request: AuditRequest) => Promise<boolean>;
  /** Called for nobody but the holder of the place. */
  readonly find: (request: AuditRequest) => Promise<AuditedReceipt | undefined>;
  /** Who answers for a place, as the chain says; the zero address if nobody does. */
  readonly holderOf: (request: AuditRequest) => Promise<Hex>;
  readonly digestOf: (request: AuditRequest) => Hex;
  /** Unix seconds. */
  readonly now: () => number;
};

/** Who may see what, as the audits of this network say. */
export function auditAuthorityOf({
  read,
  market,
  deployment,
}: ChainAccess): Pick<AuditRoutesOptions, 'holderOf' | 'digestOf' | 'now'> {
  const { audits } = deployment.addresses;
  const domain = auditDomain(market.chainId, audits);
  return {
    holderOf: async (place) => (await readHolder(read, { audits, place })).holder,
    digestOf: (request) => hashAuditRequest(domain, request),
    now: () => Date.now() / 1_000,
  };
}

export function auditRoutes(options: AuditRoutesOptions): Hono {
  const app = new Hono();
  app.post('/v1/audits', async (context) => {
    const body = await readRequestJson(context.req.raw, { bytesMax: REQUEST_BYTES_MAX });
    const { request, signature } = decodeAuditRequest(body, options.provider);
    const left = Number(request.expiresAt) - options.now();
    if (left < 0 || left > REQUEST_SECONDS_MAX) throw requestExpired(request.expiresAt);
    if ((await options.mayKnow?.(request)) === false) throw auditNotFound();
    const holder = await options.holderOf(request).catch(() => undefined);
    const isHolder =
      holder !== undefined && isSignedBy(holder, options.digestOf(request), signature);
    const found = isHolder ? await options.find(request) : undefined;
    if (found === undefined) throw auditNotFound();
    return context.body(encodeJson(found), 200, { 'content-type': 'application/json' });
  });
  return app;
}

type SignedRequest = { readonly request: AuditRequest; readonly signature: Hex };

function decodeAuditRequest(body: unknown, own: Hex | undefined): SignedRequest {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const { place, signature, expiresAt, provider = own } = fields;
  if (!isHexOf(provider, 20)) throw computeErrors.malformedMessage('provider', provider);
  if (!Number.isInteger(place) || Number(place) < 0 || Number(place) > PLACE_MAX)
    throw computeErrors.malformedMessage('place', place);
  if (!isHexOf(signature, 65)) throw computeErrors.malformedMessage('signature', signature);
  if (typeof expiresAt !== 'bigint') throw computeErrors.malformedMessage('expiresAt', expiresAt);
  const epoch = count(fields, 'epoch');
  const index = count(fields, 'index');
  const named = { provider: own ?? provider, epoch, index, place: Number(place), expiresAt };
  return { request: named, signature };
}

/** A uint64 as decimal text. */
function count(fields: Record<string, unknown>, name: string): bigint {
  const value = fields[name];
  if (typeof value !== 'string' || !/^\d{1,19}$/.test(value))
    throw computeErrors.malformedMessage(name, value);
  return BigInt(value);
}

const auditNotFound = (): AssayError =>
  new AssayError({
    code: 'audit_not_found',
    fault: 'user',
    message: 'There is no such audit, or the signature is not that of the verifier drawn for it.',
    remedy: 'Sign with the key that holds the seat of this place.',
  });

const requestExpired = (expiresAt: bigint): AssayError =>
  new AssayError({
    code: 'audit_request_expired',
    fault: 'user',
    message: `A request is for now: it expires within ${REQUEST_SECONDS_MAX} s.`,
    value: String(expiresAt),
    remedy: 'Sign another one, and compare the clocks.',
  });
