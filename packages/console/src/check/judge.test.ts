/**
 * The same judge that runs in the page, here with a real model file, a real answer and real
 * signatures.
 */
import { createChooser, sampleToken, streamHeadOf } from '@assay/compute';
import { referenceBackend } from '@assay/engine';
import { jsonObjectGrammar, openModelFile, tinyModelFile, tokenMasks } from '@assay/model';
import {
  type Address,
  commitTokens,
  computeDomain,
  DEFAULT_CONTROLS,
  encodeControls,
  FINISH,
  type Hex,
  hashControls,
  hashReceipt,
  type Job,
  jobId,
  jobPriceUp,
  NO_CONTROLS,
  type Receipt,
  type ReceiptEnvelope,
  type Sampler,
  TIER,
  toHex,
  traceKeyHash,
} from '@assay/protocol';
import { beforeAll, describe, expect, it } from 'vitest';
import { judgeReceipt, type KnownModel, openKnownModel } from './judge.js';
import type { CheckProgress, LocalVerdict } from './messages.js';

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const GENERATOR_X = 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n;

/** Keys 1 and 2 of secp256k1 and their addresses. */
const REQUESTER = { key: 1n, address: '0x7e5f4552091a69125d5dfcb7b8c2659029395bdf' as Address };
const PROVIDER = { key: 2n, address: '0x2b5ad5c4795c026514f8317c7a215e218dccd6cf' as Address };

/**
 * ECDSA with nonce 1, whose point is the generator: fit for tests only, and it needs no curve
 * arithmetic.
 */
function sign(digest: Hex, key: bigint): Hex {
  const s = (BigInt(digest) + GENERATOR_X * key) % ORDER;
  const high = s > ORDER / 2n;
  const word = (value: bigint): string => value.toString(16).padStart(64, '0');
  return `0x${word(GENERATOR_X)}${word(high ? ORDER - s : s)}${high ? '1c' : '1b'}`;
}

const CONTRACT: Address = `0x${'c0'.repeat(20)}`;
const DOMAIN = computeDomain(31337, CONTRACT);
const SALT: Hex = `0x${'5a'.repeat(32)}`;
const OUTPUT_COUNT = 12;

let bytes: Uint8Array;
let known: KnownModel;
let inputTokens: readonly number[];
let outputTokens: readonly number[];

beforeAll(() => {
  bytes = tinyModelFile({ seed: 3 });
  const file = openModelFile(bytes);
  known = openKnownModel(bytes, file.identity.modelId);
  inputTokens = file.tokenizer.encode('Hello world, the assayer');
  outputTokens = generate();
});

const sampler = {
  tau: 0,
  topK: 0,
  topP: 0,
  minP: 0,
  seed: SALT,
  stopIds: [],
  controls: NO_CONTROLS,
} as const;

function generate(): readonly number[] {
  const session = referenceBackend.createSession(known.file.model);
  const ids: number[] = [];
  let next = inputTokens;
  while (ids.length < OUTPUT_COUNT) {
    const id = sampleToken(session.forward(next), sampler, inputTokens.length + ids.length);
    ids.push(id);
    next = [id];
  }
  return ids;
}

/** An envelope that its provider signed, over the given answer. */
function envelopeOf(
  answer: readonly number[],
  change: Partial<Receipt> = {},
  asked: { sampler: Sampler; controls?: Hex } = { sampler },
): ReceiptEnvelope {
  const job: Job = {
    modelId: known.modelId,
    provider: PROVIDER.address,
    requester: REQUESTER.address,
    channelId: SALT,
    lane: 0,
    tier: TIER.exact,
    inputRoot: commitTokens(SALT, inputTokens),
    traceKeyHash: traceKeyHash(SALT),
    inputCount: inputTokens.length,
    outputCountMax: OUTPUT_COUNT,
    sampler: asked.sampler,
    inputPrice: 100_000n,
    outputPrice: 400_000n,
    expiresAt: 1_800_000_000n,
    nonce: SALT,
  };
  const id = jobId(DOMAIN, job);
  const receipt: Receipt = {
    jobId: id,
    outputRoot: commitTokens(SALT, answer),
    outputCount: answer.length,
    finish: FINISH.length,
    streamHead: streamHeadOf(id, answer),
    price: jobPriceUp(job, job.inputCount, answer.length),
    completedAt: 1_799_999_000n,
    ...change,
  };
  return {
    jobId: id,
    chainId: DOMAIN.chainId,
    contract: CONTRACT,
    job,
    jobSignature: sign(id, REQUESTER.key),
    receipt,
    receiptSignature: sign(hashReceipt(DOMAIN, receipt), PROVIDER.key),
    inputTokens,
    outputTokens: answer,
    salt: SALT,
    ...(asked.controls === undefined ? {} : { controls: asked.controls }),
  };
}

const NETWORK = { chainId: DOMAIN.chainId, receipts: CONTRACT };

function judge(
  envelope: ReceiptEnvelope,
  onProgress: (progress: CheckProgress) => void = () => undefined,
  network = NETWORK,
): Promise<LocalVerdict> {
  let nowMs = 0;
  return judgeReceipt({ envelope, known, network, onProgress, now: () => (nowMs += 500) });
}

describe('openKnownModel', () => {
  it('accepts the file whose content gives the id', () => {
    expect(known.modelId).toMatch(/^0x[0-9a-f]{64}$/);
  });
  it('refuses the file of another model', () => {
    const other = tinyModelFile({ seed: 4 });
    expect(() => openKnownModel(other, known.modelId)).toThrow(
      expect.objectContaining({ code: 'model_file_wrong' }),
    );
  });
});

describe('judgeReceipt', () => {
  it('finds an honest answer identical and reads its text', async () => {
    const verdict = await judge(envelopeOf(outputTokens));
    expect(verdict).toMatchObject({ result: 'identical', tokenCount: OUTPUT_COUNT });
    expect(verdict.text).toBe(known.file.tokenizer.decode(outputTokens));
    expect(verdict.seconds).toBeGreaterThan(0);
  });

  it('reports evidence, then execution, up to the end', async () => {
    const seen: CheckProgress[] = [];
    await judge(envelopeOf(outputTokens), (progress) => seen.push(progress));
    expect(seen.map(({ step }) => step).filter((step, i, all) => step !== all[i - 1])).toEqual([
      'evidence',
      'execution',
    ]);
    expect(seen.at(-1)).toMatchObject({ step: 'execution', share: 1 });
  });

  it.each([0, 5, OUTPUT_COUNT - 1])(
    'names the changed token %i and both texts',
    async (position) => {
      const wrong = (outputTokens[position]! + 1) % known.file.tokenizer.vocabularySize;
      const answer = outputTokens.map((id, index) => (index === position ? wrong : id));
      const text = (id: number): string => known.file.tokenizer.decode([id], { special: true });
      expect(await judge(envelopeOf(answer))).toMatchObject({
        result: 'different',
        position,
        expected: text(outputTokens[position]!),
        found: text(wrong),
      });
    },
  );

  it('follows the grammar of a job, and names the token that leaves it', async () => {
    const { tokenizer, model } = known.file;
    const stopIds = [...tokenizer.eosIds];
    const controls = { ...DEFAULT_CONTROLS, grammar: jsonObjectGrammar() };
    const bytes = encodeControls(controls);
    const asked = {
      sampler: { ...sampler, stopIds, controls: hashControls(bytes) },
      controls: toHex(bytes),
    };
    const chooser = createChooser({
      sampler: asked.sampler,
      controls,
      inputTokens,
      outputCountMax: OUTPUT_COUNT,
      openMask: tokenMasks(tokenizer),
    });
    const session = referenceBackend.createSession(model);
    const answer: number[] = [];
    for (let next = inputTokens; !stopIds.includes(answer.at(-1) ?? -1); next = answer.slice(-1)) {
      answer.push(chooser.choose(session.forward(next)).token);
      chooser.accept(answer.at(-1)!);
    }
    JSON.parse(tokenizer.decode(answer));
    const finish = { finish: FINISH.stop } as const;
    expect((await judge(envelopeOf(answer, finish, asked))).result).toBe('identical');
    const left = [answer[0]!, tokenizer.encode('x')[0]!, ...answer.slice(2)];
    const verdict = await judge(envelopeOf(left, finish, asked));
    expect(verdict).toMatchObject({ result: 'different', position: 1, found: 'x' });
  });

  it('calls a receipt invalid that charges more than agreed', async () => {
    const verdict = await judge(envelopeOf(outputTokens, { price: 1_000_000n }));
    expect(verdict.result).toBe('invalid');
    expect(verdict.reason).toMatch(/price/);
  });

  it('calls a receipt of another chain or contract invalid, however true it is there', async () => {
    const envelope = envelopeOf(outputTokens);
    const elsewhere = [
      { ...NETWORK, chainId: 1 },
      { ...NETWORK, receipts: `0x${'c1'.repeat(20)}` as Address },
    ];
    for (const network of elsewhere) {
      const verdict = await judge(envelope, undefined, network);
      expect(verdict).toMatchObject({ result: 'invalid' });
      expect(verdict.reason).toMatch(/chain 31337, not of 1|another contract/);
    }
    const shouted = { ...NETWORK, receipts: CONTRACT.toUpperCase().replace('X', 'x') as Address };
    expect((await judge(envelope, undefined, shouted)).result).toBe('identical');
  });

  it.each(['jobSignature', 'receiptSignature'] as const)('wants a true %s', async (field) => {
    const envelope = { ...envelopeOf(outputTokens), [field]: sign(SALT, 1n) };
    expect((await judge(envelope)).result).toBe('invalid');
  });
});
