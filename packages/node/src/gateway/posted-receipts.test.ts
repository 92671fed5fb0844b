/** Where a gateway's receipts stand in an epoch that its provider posted, with a real chain and a real index over it. */
import { join } from 'node:path';
import { postEpochRoot } from '@assay/compute';
import {
  auditDomain,
  computeDomain,
  encodeJson,
  fromHex,
  type Hex,
  hashAuditRequest,
  hashReceipt,
  merkleRoot,
  type ReceiptEnvelope,
  rootFromProof,
  toHex,
} from '@assay/protocol';
import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { auditAuthorityOf, auditRoutes } from '../court/audit-routes.js';
import { account, answered, type CourtKit, startCourtKit } from '../court/testing/court-kit.js';
import { respondError } from '../http-errors.js';
import {
  addReceipts,
  type Follower,
  followChain,
  type IndexStore,
  openIndexStore,
} from '../index-store/index.js';
import { createPostedReceipts, type PostedReceipts } from './posted-receipts.js';

let kit: CourtKit;
let store: IndexStore;
let follower: Follower;
let posted: PostedReceipts;
let epochs = 0n;
let stores = 0;

beforeAll(async () => {
  kit = await startCourtKit();
}, 120_000);
afterAll(() => kit.chain.stop());

beforeEach(async () => {
  const { read, deployment, market } = kit.provider;
  store = await openIndexStore({ path: join(kit.home, `index-${stores++}.db`) });
  const { addresses, startBlock } = deployment;
  follower = followChain(store, { client: read, addresses, startBlock });
  posted = createPostedReceipts({ store, network: market, settled: async () => undefined });
  return async () => {
    await follower.stop();
    await store.close();
  };
});

const digestOf = ({ receipt }: ReceiptEnvelope): Uint8Array => {
  const { chainId, receipts } = kit.provider.market;
  return fromHex(hashReceipt(computeDomain(chainId, receipts), receipt));
};

/** Receipts signed in these seconds, one after the other. */
const signedIn = async (...seconds: readonly number[]): Promise<ReceiptEnvelope[]> => {
  const receipts: ReceiptEnvelope[] = [];
  for (const second of seconds) receipts.push(await answered(kit, { completedAt: BigInt(second) }));
  return receipts;
};

/** The provider posts these in this order; the gateway bought those, in the order in which they arrived. */
async function post(
  receipts: readonly ReceiptEnvelope[],
  bought: readonly ReceiptEnvelope[] = receipts,
): Promise<(index: number) => Promise<string | undefined>> {
  const epoch = ++epochs;
  const { provider } = kit;
  const root = toHex(merkleRoot(receipts.map(digestOf)));
  await postEpochRoot(provider.write, {
    ...{ receipts: provider.market.receipts, epoch, root, count: BigInt(receipts.length) },
    priceTotal: receipts.reduce((sum, { receipt }) => sum + receipt.price, 0n),
  });
  await addReceipts(
    store,
    bought.map((envelope, i) => ({ envelope, createdAtMs: Number(epoch) * 1_000 + i })),
  );
  await follower.caughtUp();
  const request = { provider: account(1).address, epoch, place: 0, expiresAt: 0n };
  return async (index) => {
    const found = await posted.find({ ...request, index: BigInt(index) });
    if (found === undefined) return undefined;
    const at = { index, count: receipts.length, proof: found.proof.map(fromHex) };
    expect(toHex(rootFromProof({ ...at, data: digestOf(found.envelope) })!)).toBe(root);
    return found.envelope.jobId;
  };
}

const idsOf = (receipts: readonly ReceiptEnvelope[]) => receipts.map(({ jobId }) => jobId);

describe('createPostedReceipts', { timeout: 60_000 }, () => {
  it('finds each receipt of each epoch, with its proof', async () => {
    const first = await signedIn(1, 2, 3);
    const second = await signedIn(4, 5, 6, 7);
    const [inFirst, inSecond] = [await post(first), await post(second)];
    expect([await inFirst(0), await inFirst(1), await inFirst(2)]).toEqual(idsOf(first));
    expect([await inSecond(0), await inSecond(3)]).toEqual([second[0]!.jobId, second[3]!.jobId]);
    expect(await inFirst(3)).toBeUndefined();
  });

  it('finds the order of receipts of one second that arrived in another', async () => {
    const receipts = await signedIn(1, 2, 2, 2, 3, 3);
    const arrived = [0, 3, 1, 2, 5, 4].map((index) => receipts[index]!);
    const at = await post(receipts, arrived);
    for (const [index, id] of idsOf(receipts).entries()) expect(await at(index)).toBe(id);
  });

  it('knows nothing of an epoch of which one receipt was somebody else’s', async () => {
    const receipts = await signedIn(1, 2, 3);
    const at = await post(receipts, receipts.slice(1));
    expect(await at(1)).toBeUndefined();
  });
});

describe('POST /v1/audits of a gateway', { timeout: 60_000 }, () => {
  it('shows nothing to whoever holds no seat of the place, and asks the chain only for what it may know', async () => {
    const receipts = await signedIn(1);
    await post(receipts);
    const asked: bigint[] = [];
    const { digestOf: digest, now } = auditAuthorityOf(kit.provider);
    const holderOf = async ({ epoch }: { readonly epoch: bigint }): Promise<Hex> => {
      asked.push(epoch);
      return account(3).address;
    };
    const app = new Hono().route('/', auditRoutes({ ...posted, digestOf: digest, now, holderOf }));
    app.onError((error, context) => respondError(context, error));
    const ask = async (who: number, epoch: bigint) => {
      const expiresAt = BigInt(Math.floor(Date.now() / 1_000) + 60);
      const request = { provider: account(1).address, epoch, index: 0n, place: 0, expiresAt };
      const { audits } = kit.provider.deployment.addresses;
      const domain = auditDomain(kit.provider.market.chainId, audits);
      const signature = await account(who).sign({ hash: hashAuditRequest(domain, request) });
      const body = encodeJson({ ...request, signature });
      return app.request('/v1/audits', { method: 'POST', body });
    };
    const shown = await ask(3, epochs);
    expect(shown.status).toBe(200);
    expect(await shown.text()).toContain(receipts[0]!.jobId);
    expect((await ask(4, epochs)).status).toBe(404);
    expect(asked).toEqual([epochs, epochs]);
    expect((await ask(3, epochs + 7n)).status).toBe(404);
    expect(asked).toEqual([epochs, epochs]);
  });
});
