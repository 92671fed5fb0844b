/**
 * A small job with its honest trace, for tests and vectors: a random model in which every kind of leaf exists (a row of
 * more than 1,024 columns, a block of positions that closes, both cuts, partial sums of logits), and an answer that its
 * logits really give.
 */
import {
  type EngineModel,
  graphRoot,
  type HashFunction,
  type ModelConfig,
  randomEngineModel,
  referenceBackend,
  referencePass,
  type Trace,
  tablesRoot,
  traceOf,
  weightsRoot,
} from '@assay/engine';
import {
  commitTokens,
  FINISH,
  fromHex,
  type Hex,
  type Job,
  keccak,
  NO_CONTROLS,
  type Receipt,
  type ReceiptEnvelope,
  type Sampler,
  sha256,
  toHex,
  traceKey,
  traceKeyHash,
} from '@assay/protocol';
import { sampleToken } from '../../sampling.js';
import { type DisputeCase, disputeCase, traceJob } from '../case.js';
import { type ModelTrees, modelTrees } from '../model-trees.js';

export type HonestCase = {
  readonly model: EngineModel;
  readonly trees: ModelTrees;
  readonly envelope: Pick<
    ReceiptEnvelope,
    'job' | 'receipt' | 'inputTokens' | 'outputTokens' | 'salt'
  >;
  readonly trace: Trace;
  readonly signed: DisputeCase;
};

export type HonestCaseOptions = {
  readonly seed: number;
  readonly inputCount: number;
  readonly outputCount: number;
  readonly config?: Partial<ModelConfig>;
  readonly sampler?: Partial<Sampler>;
  /** Number of an output token that is replaced by its successor: then the answer is not that of the logits. */
  readonly wrongToken?: number;
  /** Gives the tokens in place of the model of the job: then the answer is another model's. */
  readonly answeredBy?: (model: EngineModel) => EngineModel;
  /** SHA-256; the protocol's own is slow. */
  readonly hash?: HashFunction;
};

/** Every op, two heads of values that are no whole number of tiles, 1,056 columns in the last matrix of a layer. */
const CONFIG: Partial<ModelConfig> = {
  layerCount: 1,
  width: 32,
  headSize: 40,
  feedForwardWidth: 1056,
  vocabularySize: 1100,
};

const SAMPLER: Sampler = {
  ...{ tau: 30_000, topK: 12, topP: 2 ** 29, minP: 2 ** 20 },
  ...{ seed: `0x${'5a'.repeat(32)}`, stopIds: [], controls: NO_CONTROLS },
};

const SALT: Hex = `0x${'71'.repeat(32)}`;
const NOBODY = `0x${'00'.repeat(20)}` as const;
const NOTHING: Hex = `0x${'00'.repeat(32)}`;

export function honestCase(options: HonestCaseOptions): HonestCase {
  const { seed, inputCount, outputCount, hash = sha256 } = options;
  const model = randomEngineModel({ seed, config: { ...CONFIG, ...options.config } });
  const sampler = { ...SAMPLER, ...options.sampler };
  const size = model.config.vocabularySize;
  const inputTokens = Array.from({ length: inputCount }, (_, i) => (i * 37 + seed) % size);
  const { wrongToken, answeredBy = (same) => same } = options;
  const outputTokens = answer(answeredBy(model), { sampler, inputTokens, outputCount });
  if (wrongToken !== undefined) {
    outputTokens[wrongToken] = (outputTokens[wrongToken]! + 1) % size;
  }
  const { job, receipt } = commit({ sampler, inputTokens, outputTokens });
  const pass = referencePass(model, [...inputTokens, ...outputTokens]);
  const key = fromHex(traceKey(SALT));
  const trace = traceOf({ model, job: traceJob(job, receipt), pass, traceKey: key, hash });
  const roots = {
    weightsRoot: toHex(weightsRoot(model, keccak)),
    graphRoot: toHex(graphRoot(model.graph, keccak)),
    tablesRoot: toHex(tablesRoot(keccak)),
  };
  return {
    ...{ model, trees: modelTrees(model), trace },
    envelope: { job, receipt, inputTokens, outputTokens, salt: SALT },
    signed: disputeCase({ job, receipt, traceRoot: toHex(trace.root) }, roots),
  };
}

/** Tokens that the model's logits give. */
function answer(
  model: EngineModel,
  options: {
    readonly sampler: Sampler;
    readonly inputTokens: readonly number[];
    readonly outputCount: number;
  },
): number[] {
  const { sampler, inputTokens, outputCount } = options;
  const session = referenceBackend.createSession(model);
  const outputTokens: number[] = [];
  let next: readonly number[] = inputTokens;
  while (outputTokens.length < outputCount) {
    const logits = session.forward(next);
    const token = sampleToken(logits, sampler, inputTokens.length + outputTokens.length);
    outputTokens.push(token);
    next = [token];
  }
  return outputTokens;
}

function commit(options: {
  readonly sampler: Sampler;
  readonly inputTokens: readonly number[];
  readonly outputTokens: readonly number[];
}): { job: Job; receipt: Receipt } {
  const { sampler, inputTokens, outputTokens } = options;
  const job: Job = {
    ...{ modelId: NOTHING, provider: NOBODY, requester: NOBODY, channelId: NOTHING },
    ...{ lane: 0, tier: 3, sampler, nonce: NOTHING, expiresAt: 0n },
    ...{ inputPrice: 0n, outputPrice: 0n },
    inputRoot: commitTokens(SALT, inputTokens),
    traceKeyHash: traceKeyHash(SALT),
    inputCount: inputTokens.length,
    outputCountMax: outputTokens.length,
  };
  const receipt: Receipt = {
    ...{ jobId: NOTHING, streamHead: NOTHING, price: 0n, completedAt: 0n },
    outputRoot: commitTokens(SALT, outputTokens),
    outputCount: outputTokens.length,
    finish: FINISH.length,
  };
  return { job, receipt };
}
