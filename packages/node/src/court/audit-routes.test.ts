/** Who gets the tokens of a drawn receipt, and what everybody else learns: nothing. */
import { auditDomain, encodeJson, type Hex, hashAuditRequest } from '@assay/protocol';
import { Hono } from 'hono';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { describe, expect, it } from 'vitest';
import { respondError } from '../http-errors.js';
import { createSigner } from '../signatures.js';
import type { AuditedReceipt } from './audit-duty.js';
import { auditRoutes, REQUEST_SECONDS_MAX } from './audit-routes.js';

const NOW = 1_000;
const provider: Hex = `0x${'11'.repeat(20)}`;
const domain = auditDomain(1, `0x${'22'.repeat(20)}`);
const newSigner = () => {
  const key = generatePrivateKey();
  return createSigner(key, privateKeyToAccount(key).address);
};
const [holder, stranger] = [newSigner(), newSigner()];
const receipt = { envelope: { jobId: '0x01' }, proof: ['0x02'] } as unknown as AuditedReceipt;

const app = new Hono();
app.onError((error, context) => respondError(context, error));
app.route(
  '/',
  auditRoutes({
    provider,
    find: async ({ epoch, index }) => (epoch === 40n && index === 3n ? receipt : undefined),
    holderOf: async ({ place }) => {
      if (place === 0) return holder.address;
      throw new Error('no such place');
    },
    digestOf: (request) => hashAuditRequest(domain, request),
    now: () => NOW,
  }),
);

async function ask(change: Partial<Record<string, unknown>> = {}, signer = holder) {
  const place = { epoch: 40n, index: 3n, place: 0, expiresAt: BigInt(NOW + 60) };
  const request = { provider, ...place, ...change } as Parameters<typeof hashAuditRequest>[1];
  const signature = await signer.sign({ hash: hashAuditRequest(domain, request) });
  const { provider: _, ...sent } = request;
  const body = encodeJson({ ...sent, signature });
  const answer = await app.request('/v1/audits', { method: 'POST', body });
  return { status: answer.status, body: await answer.text() };
}

describe('POST /v1/audits', () => {
  it('shows a drawn receipt to the verifier that holds the place', async () => {
    expect(await ask()).toEqual({ status: 200, body: encodeJson(receipt) });
  });

  it('answers one and the same to a stranger, for a receipt that is not drawn, and for no place', async () => {
    const refusals = [
      ...[await ask({}, stranger), await ask({ index: 4n }), await ask({ epoch: 41n })],
      await ask({ place: 1 }),
    ];
    expect(refusals[0]).toMatchObject({ status: 404 });
    expect(refusals[0]!.body).toContain('audit_not_found');
    expect(new Set(refusals.map(({ body }) => body)).size).toBe(1);
  });

  it('refuses requests that are over, and those that would live too long', async () => {
    for (const expiresAt of [NOW - 1, NOW + REQUEST_SECONDS_MAX + 1]) {
      const { status, body } = await ask({ expiresAt: BigInt(expiresAt) });
      expect(status).toBe(400);
      expect(body).toContain('audit_request_expired');
    }
  });

  it.each(['', '[]', '{}', '{"epoch":"40","index":"3","place":-1}'])('refuses %j', async (body) => {
    const answer = await app.request('/v1/audits', { method: 'POST', body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'malformed_message' } });
  });
});
