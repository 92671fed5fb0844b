/**
 * What a receipt says against its own job: counts, price, and why the answer ended. No trace is needed; at most one
 * leaf of the answer is opened. The rules are those of `FormJudge.sol`, which knows the same fields.
 */
import { FINISH, jobPriceUp, type Receipt, type ReceiptEnvelope } from '@assay/protocol';
import { BOUNDARY_KINDS, type BoundaryKind } from './kinds/boundary.js';
import { leafTree, openLeaf, tokenLeaves } from './model-trees.js';
import { encodeProof, type Opening, type TraceProof } from './trace-proof.js';

export type ReceiptFraud = {
  readonly kind: BoundaryKind;
  /** The number of the kind in `contracts/dispute/Kinds.sol`. */
  readonly number: number;
  readonly proof: TraceProof;
  /** What `IJudge.isGuilty` takes; the root of the trace may be zero. */
  readonly bytes: ReturnType<typeof encodeProof>;
};

type SignedAnswer = Pick<ReceiptEnvelope, 'job' | 'receipt' | 'outputTokens' | 'salt'>;

/**
 * A proof that the receipt contradicts its job, or undefined. The tokens must be those that it commits to.
 *
 * @example
 * const fraud = findReceiptFraud(envelope) ?? (await findFraud(search));
 */
export function findReceiptFraud(envelope: SignedAnswer): ReceiptFraud | undefined {
  const { job, receipt, outputTokens } = envelope;
  const { outputCount } = receipt;
  if (outputCount > job.outputCountMax) return fraudOf('outputCount');
  if (receipt.price !== jobPriceUp(job, job.inputCount, outputCount)) return fraudOf('price');
  if (isFinishWrong(receipt, job.outputCountMax)) return fraudOf('finish');
  const isStop = (id: number) => job.sampler.stopIds.includes(id);
  const last = outputCount - 1;
  const stop = outputTokens.findIndex(isStop);
  if (receipt.finish === FINISH.stop && !isStop(outputTokens[last]!)) {
    return fraudOf('stopMissing', last, [openToken(envelope, last)]);
  }
  const isAtEnd = stop === last && receipt.finish === FINISH.stop;
  if (stop < 0 || isAtEnd) return undefined;
  return fraudOf('stopPassed', stop, [openToken(envelope, stop)]);
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

function fraudOf(kind: BoundaryKind, index = 0, others: readonly Opening[] = []): ReceiptFraud {
  const proof: TraceProof = {
    ...{ position: 0, node: 0, head: 0, index, part: 0 },
    ...{ descriptor: NOTHING, positions: [], rows: [], others },
  };
  return { kind, number: BOUNDARY_KINDS[kind], proof, bytes: encodeProof(proof) };
}
