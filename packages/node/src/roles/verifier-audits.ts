/** What a verifier with seats is made of: a book that outlives the process, judges, and the way to the providers. */
import { readAuditTerms, readCourtTerms } from '@assay/compute';
import {
  AssayError,
  auditDomain,
  type Hex,
  hashAuditRequest,
  type ReceiptEnvelope,
} from '@assay/protocol';
import { auditsAbi } from '@assay/protocol/abi';
import type { ChainAccess } from '../chain-access.js';
import { openAuditBook } from '../court/audit-book.js';
import { createAuditJudge } from '../court/audit-judge.js';
import { type OwnPlace, placeOf } from '../court/audit-places.js';
import { startAuditor } from '../court/auditor.js';
import type { LookLoop } from '../court/look-loop.js';
import { ensureSeats } from '../court/seats.js';
import { startTraceHost } from '../court/trace-host.js';
import type { EngineHost } from '../engine/engine-host.js';
import { loadKey } from '../home.js';
import type { Logger } from '../log.js';
import { listOffersOnChain } from '../offers-on-chain.js';
import { fetchAudited, type GivenReceipt } from '../peers/audit-peer.js';
import { type ModelCache, modelCache } from './model-cache.js';
import type { VerifierDisguise } from './verifier.js';

/** Between two looks at the chain; the shortest time of an audit is a few seconds, on a local chain. */
const LOOK_INTERVAL_MS = 500;

/** Trace threads kept open; each holds the weights of one model. */
const TRACE_HOSTS_MAX = 1;

/** Life of a request for a receipt: it is used at once. */
const REQUEST_SECONDS = 60;

export type VerifierAuditsOptions = {
  readonly home: string;
  readonly access: ChainAccess;
  readonly log: Logger;
  readonly engines: ModelCache<EngineHost>;
  readonly seats: number;
  readonly disguise: VerifierDisguise;
  readonly gatewayUrl: () => string | undefined;
  readonly prosecute: (envelope: ReceiptEnvelope) => void;
};

/** Takes the seats that are missing and begins to audit; undefined without any. */
export async function startAudits(options: VerifierAuditsOptions): Promise<LookLoop | undefined> {
  const { home, access, log, engines, seats, disguise, prosecute } = options;
  const terms = await readAuditTerms(access.read, access.deployment.addresses.audits);
  const book = openAuditBook(home, access);
  // Without seats there is nothing to take up, unless an earlier process had some.
  if (seats === 0 && book.readBlock() === undefined) {
    book.close();
    return undefined;
  }
  await ensureSeats(access, { count: seats, terms });
  const beaconBlocks = await access.read.readContract({
    address: access.deployment.addresses.audits,
    abi: auditsAbi,
    functionName: 'BEACON_BLOCKS',
  });
  const traces = modelCache({
    ...{ home, access, countMax: TRACE_HOSTS_MAX },
    open: (modelPath) => startTraceHost({ modelPath }),
  });
  const { window } = await readCourtTerms(access.read, access.deployment.addresses.court);
  const judge = createAuditJudge({
    ...{ network: access.market, courtWindow: window },
    verify: async (envelope) => (await engines.get(envelope.job.modelId)).verify(envelope),
    traceRoot: async (envelope) => (await traces.get(envelope.job.modelId)).source(envelope).root(),
  });
  const auditor = startAuditor({
    ...{ access, terms, beaconBlocks, log, book, prosecute, intervalMs: LOOK_INTERVAL_MS },
    judge: disguise.judge ?? judge,
    fetchGiven: (place) => fetchGiven(options, place),
  });
  return {
    stop: async () => {
      await auditor.stop();
      await traces.close();
      book.close();
    },
  };
}

/** Asks the provider at each of its endpoints for the receipt of a place; if it shows none, the gateway. */
async function fetchGiven(
  { home, access, log, gatewayUrl }: VerifierAuditsOptions,
  place: OwnPlace,
): Promise<GivenReceipt> {
  const { market } = access;
  const { provider, root, count } = place.epoch;
  const expiresAt = BigInt(Math.floor(Date.now() / 1_000) + REQUEST_SECONDS);
  const request = { ...placeOf(place), expiresAt };
  const hash = hashAuditRequest(
    auditDomain(market.chainId, access.deployment.addresses.audits),
    request,
  );
  const signature = await loadKey(home, 'verifier').signer.sign({ hash });
  const offers = await listOffersOnChain(access, { provider });
  let failure: unknown = providerAway(provider);
  const gateway = gatewayUrl();
  const endpoints = offers.map(({ endpoint }) => endpoint);
  for (const endpoint of new Set(gateway === undefined ? endpoints : [...endpoints, gateway])) {
    try {
      const asked = { endpoint, request, signature, posted: { root, count }, network: market };
      const given = await fetchAudited(asked);
      if (endpoint === gateway)
        log.info({ jobId: given.envelope.jobId }, 'the provider showed no tokens, the gateway did');
      return given;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

const providerAway = (provider: Hex): AssayError =>
  new AssayError({
    code: 'provider_away',
    fault: 'peer',
    message: 'The audited provider offers nothing any more, so nobody knows where to ask it.',
    value: provider,
    remedy: 'Nothing can be said about this receipt; abstain.',
  });
