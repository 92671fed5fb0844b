/**
 * What a receipt says against its own job: counts, price, and why the answer ended. No trace is needed; at most one
 * leaf of the answer is opened. The rules are those of `FormJudge.sol`, which knows the same fields.
 */
import { foldRun } from '@assay/engine';
import {
  commitTokens,
  computeDomain,
  FINISH,
  hashReceipt,
  jobId,
  jobPriceUp,
  keccak,
  type Receipt,
  type ReceiptEnvelope,
  TOKENS_PER_LEAF,
  toHex,
} from '@assay/protocol';
import type { Network } from '../evidence.js';
import { type CheckSignature, isSignedBy } from '../signature.js';
import { BOUNDARY_KINDS, type BoundaryKind } from './kinds/boundary.js';
import { TRACE_KINDS } from './kinds/index.js';
import { leafTree, openLeaf, tokenLeaves } from './model-trees.js';
import { encodeProof, type Opening, type TraceProof } from './trace-proof.js';

/** Kinds that convict a receipt by itself; {@link TRACE_KINDS} has the form of tokens, since traces read them too. */
export const RECEIPT_KINDS = {
  ...BOUNDARY_KINDS,
  tokenForm: TRACE_KINDS.tokenForm.number,
} as const;

export type ReceiptKind = BoundaryKind | 'tokenForm';

export type ReceiptFraud = {
  readonly kind: ReceiptKind;
  /** The number of the kind in `contracts/dispute/Kinds.sol`. */
  readonly number: number;
  readonly proof: TraceProof;
  /** What `IJudge.isGuilty` takes; the root of the trace may be zero. */
  readonly bytes: ReturnType<typeof encodeProof>;
};

type SignedAnswer = Pick<ReceiptEnvelope, 'job' | 'receipt' | 'outputTokens' | 'salt'>;

/**
 * A proof that the receipt contradicts its job, or undefined. Whether they belong together and who signed is not looked
 * at: {@link provableReceiptFraud}.
 *
 * @example
 * const fraud = findReceiptFraud(envelope) ?? (await findFraud(search));
 */
export function findReceiptFraud(envelope: SignedAnswer): ReceiptFraud | undefined {
  const { job, receipt, outputTokens, salt } = envelope;
  const { outputCount } = receipt;
  if (outputCount > job.outputCountMax) return fraudOf('outputCount');
  if (receipt.price !== jobPriceUp(job, job.inputCount, outputCount)) return fraudOf('price');
  if (isFinishWrong(receipt, job.outputCountMax)) return fraudOf('finish');
  // Tokens that the receipt does not commit to open nothing: they are somebody else's.
  if (commitTokens(salt, outputTokens) !== receipt.outputRoot) return undefined;
  return outputTokens.length === outputCount ? findStopFraud(envelope) : miscounted(envelope);
}

/**
 * {@link findReceiptFraud}, if the court of this network will take it: the receipt is of this job, and the job's
 * provider signed it here. So nobody accuses on the word of whoever handed the receipt over.
 */
export async function provableReceiptFraud(
  envelope: ReceiptEnvelope,
  network: Network,
  isSigned: CheckSignature = isSignedBy,
): Promise<ReceiptFraud | undefined> {
  const { job, receipt, receiptSignature } = envelope;
  const domain = computeDomain(network.chainId, network.receipts);
  if (receipt.jobId !== jobId(domain, job)) return undefined;
  const fraud = findReceiptFraud(envelope);
  if (fraud === undefined) return undefined;
  const digest = hashReceipt(domain, receipt);
  return (await isSigned(job.provider, digest, receiptSignature)) ? fraud : undefined;
}

/** The commitment holds more or fewer tokens than the receipt counts, and with them is paid for. */
function miscounted({ receipt, outputTokens, salt }: SignedAnswer): ReceiptFraud {
  const tree = leafTree(tokenLeaves(salt, outputTokens).leaves);
  const count = tree.nodes.length;
  const last = count - 1;
  if (count === Math.ceil(receipt.outputCount / TOKENS_PER_LEAF))
    return fraudOf('tokenForm', { part: last, others: [openLeaf(tree, last)] });
  const whole = foldRun({ nodes: tree.nodes, first: 0 }, { width: count, path: [] }, keccak);
  const data = toHex(whole?.top ?? NO_TOP);
  return fraudOf('outputLeaves', { others: [{ data, count: BigInt(count), path: [] }] });
}

/** Top of a tree without leaves. */
const NO_TOP = new Uint8Array(32);

function findStopFraud(envelope: SignedAnswer): ReceiptFraud | undefined {
  const { job, receipt, outputTokens } = envelope;
  const { outputCount } = receipt;
  const isStop = (id: number) => job.sampler.stopIds.includes(id);
  const last = outputCount - 1;
  const stop = outputTokens.findIndex(isStop);
  if (receipt.finish === FINISH.stop && !isStop(outputTokens[last]!)) {
    return fraudOf('stopMissing', { index: last, others: [openToken(envelope, last)] });
  }
  const isAtEnd = stop === last && receipt.finish === FINISH.stop;
  if (stop < 0 || isAtEnd) return undefined;
  return fraudOf('stopPassed', { index: stop, others: [openToken(envelope, stop)] });
}

/** What counts alone say about the end of an answer. */
function isFinishWrong({ finish, outputCount }: Receipt, outputCountMax: number): boolean {
  const isFull = outputCount === outputCountMax;
  if (finish === FINISH.stop) return outputCount === 0;
  return finish === FINISH.length ? !isFull : isFull;
}

/** The leaf of the answer that holds a token. */
const openToken = ({ salt, outputTokens }: SignedAnswer, index: number): Opening => {
  const { leaves, leafOf } = tokenLeaves(salt, outputTokens);
  return openLeaf(leafTree(leaves), leafOf(index));
};

const NOTHING: Opening = { data: '0x', count: 0n, path: [] };

function fraudOf(
  kind: ReceiptKind,
  shown: Partial<Pick<TraceProof, 'index' | 'part' | 'others'>> = {},
): ReceiptFraud {
  const proof: TraceProof = {
    ...{ position: 0, node: 0, head: 0, index: 0, part: 0 },
    ...{ descriptor: NOTHING, positions: [], rows: [], others: [] },
    ...shown,
  };
  return { kind, number: RECEIPT_KINDS[kind], proof, bytes: encodeProof(proof) };
}
