/** What tests of the court share: a chain with short terms, a provider with a stake, and what that provider signs. */
import {
  deployContracts,
  depositStake,
  LOCAL_AUDIT_TERMS,
  mintTestDollars,
  publishOffer,
} from '@assay/compute';
import {
  commitTokens,
  computeDomain,
  FINISH,
  type Hex,
  hashReceipt,
  type Job,
  jobId,
  jobPriceUp,
  NO_CONTROLS,
  type Receipt,
  type ReceiptEnvelope,
  toHex,
  traceKeyHash,
} from '@assay/protocol';
import {
  type ChainEngine,
  LOCAL_CHAIN_ID,
  localAccount,
  startEmbeddedChain,
} from '../../chain/index.js';
import { temporaryHome } from '../../chain/testing/chain-kit.js';
import { type ChainAccess, connectRole, openChain, writeDeployment } from '../../chain-access.js';
import { createLog } from '../../log.js';

/** Atomic units. */
const STAKE = 50_000_000n;

/** Of one seat, atomic units. */
export const SEAT_BOND = LOCAL_AUDIT_TERMS.bond;

/** Seconds after a job in which it can be disputed. */
export const COURT_WINDOW = 7_200;

export const MODEL_ID: Hex = `0x${'11'.repeat(32)}`;

/** A stop id of every job. */
export const STOP = 9;

/** The longest answer of a job: one leaf of sixteen tokens, and another one. */
export const WHOLE_ANSWER = Array.from({ length: 20 }, (_, i) => 100 + i);

export const account = (index: number) => localAccount({ chainId: LOCAL_CHAIN_ID, index });

export const quiet = createLog('court', 'fatal');

export type CourtKit = {
  readonly home: string;
  readonly chain: ChainEngine;
  /** With a stake. */
  readonly provider: ChainAccess;
  readonly challenger: ChainAccess;
};

/** A chain on which every receipt is audited and verdicts are paid after a second. */
export async function startCourtKit(
  auditTerms: Partial<typeof LOCAL_AUDIT_TERMS> = {},
): Promise<CourtKit> {
  const home = temporaryHome();
  const chain = await startEmbeddedChain({ home, port: 0 });
  const { write, genesisHash } = await openChain(chain.rpcUrl, account(0));
  const addresses = await deployContracts(write, {
    courtTerms: { clock: 600, window: COURT_WINDOW, releaseDelay: 1, bond: 10n ** 16n },
    auditTerms: { ...LOCAL_AUDIT_TERMS, rate: 2 ** 32 - 1, ...auditTerms },
    vaultWindowSeconds: 600,
  });
  writeDeployment(home, { chainId: LOCAL_CHAIN_ID, genesisHash, startBlock: 0, addresses });
  const provider = await connectRole(home, chain.rpcUrl, account(1));
  const challenger = await connectRole(home, chain.rpcUrl, account(2));
  await addStake(provider);
  return { home, chain, provider, challenger };
}

export async function addStake({ write, deployment }: ChainAccess): Promise<void> {
  const { testDollar, stake } = deployment.addresses;
  await mintTestDollars(write, { testDollar, to: write.account.address, amount: STAKE });
  await depositStake(write, { stake, amount: STAKE });
}

/** Says where the provider is asked about its receipts. */
export async function offerAt({ write, deployment }: ChainAccess, endpoint: string): Promise<void> {
  const { offers } = deployment.addresses;
  const terms = { modelId: MODEL_ID, inputPrice: 0n, outputPrice: 0n, tier: 3, endpoint };
  await publishOffer(write, { offers, ...terms });
}

const word = (byte: string): Hex => `0x${byte.repeat(32)}`;
const SALT = word('71');
const INPUT = [1, 2, 3, 4, 5];

let nonces = 0;

const nextJob = (): Job => ({
  ...{ modelId: MODEL_ID, provider: account(1).address, requester: account(4).address },
  ...{ channelId: word('22'), lane: 0, tier: 3, nonce: toHex(Buffer.alloc(32, ++nonces)) },
  ...{ inputRoot: commitTokens(SALT, INPUT), traceKeyHash: traceKeyHash(SALT) },
  ...{ inputCount: INPUT.length, outputCountMax: WHOLE_ANSWER.length },
  ...{ inputPrice: 10_000_000n, outputPrice: 20_000_000n },
  sampler: {
    ...{ tau: 0, topK: 0, topP: 0, minP: 0, seed: word('55'), stopIds: [STOP] },
    controls: NO_CONTROLS,
  },
  expiresAt: BigInt(Math.floor(Date.now() / 1_000) + 600),
});

/** What the provider signs for a new job: a receipt without a contradiction, but for the changes. */
export async function answered(
  { provider }: Pick<CourtKit, 'provider'>,
  change: Partial<Receipt> = {},
  tokens: readonly number[] = WHOLE_ANSWER,
): Promise<ReceiptEnvelope> {
  const { receipts, chainId } = provider.market;
  const domain = computeDomain(chainId, receipts);
  const job = nextJob();
  const outputCount = change.outputCount ?? tokens.length;
  const receipt: Receipt = {
    ...{ jobId: jobId(domain, job), outputRoot: commitTokens(SALT, tokens), outputCount },
    ...{ finish: FINISH.length, streamHead: word('66'), completedAt: 0n },
    price: jobPriceUp(job, job.inputCount, outputCount),
    ...change,
  };
  return {
    ...{ jobId: receipt.jobId, chainId, contract: receipts, job, receipt, inputTokens: INPUT },
    ...{ outputTokens: tokens, salt: SALT },
    jobSignature: await account(4).sign({ hash: receipt.jobId }),
    receiptSignature: await account(1).sign({ hash: hashReceipt(domain, receipt) }),
  };
}

/** The same receipt as another network would have it. */
export async function signedElsewhere(envelope: ReceiptEnvelope): Promise<ReceiptEnvelope> {
  const domain = computeDomain(envelope.chainId, envelope.contract);
  const receipt = { ...envelope.receipt, jobId: jobId(domain, envelope.job) };
  const receiptSignature = await account(1).sign({ hash: hashReceipt(domain, receipt) });
  return { ...envelope, jobId: receipt.jobId, receipt, receiptSignature };
}
