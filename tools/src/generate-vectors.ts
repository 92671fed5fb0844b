/**
 * Writes `vectors/eip712.json` and `vectors/merkle.json` from `@assay/protocol`: the values that Solidity must agree
 * with. Inputs are edges (zero, largest, empty) and values hashed from their own names, so nothing is random.
 * `--check` writes nothing and exits 1 when the committed files differ.
 *
 *     node tools/dist/generate-vectors.js [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { MODEL_TYPE, modelCommitmentId } from '@assay/compute';
import {
  type Address,
  AUDIT_REQUEST_TYPES,
  auditDomain,
  bigEndian,
  CHANNEL_TYPES,
  type ChannelConfig,
  channelId,
  computeDomain,
  type Hex,
  hashAuditRequest,
  hashLaneVoucher,
  hashPlant,
  hashReceipt,
  hashStreamHead,
  hashVoucher,
  JOB_TYPES,
  type Job,
  jobId,
  keccak,
  LANE_VOUCHER_TYPES,
  merkleProof,
  merkleRoot,
  PLANT_TYPES,
  RECEIPT_TYPES,
  type Receipt,
  STREAM_HEAD_TYPES,
  settlementDomain,
  toHex,
  VOUCHER_TYPES,
} from '@assay/protocol';
import { domainSeparator } from 'viem';

export type GeneratedFile = { readonly name: string; readonly text: string };

const CHAIN_ID = 31_337;
const UINT128_MAX = 2n ** 128n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const UINT32_MAX = 2 ** 32 - 1;
const ZERO: Hex = `0x${'00'.repeat(32)}`;
const ONES: Hex = `0x${'ff'.repeat(32)}`;
const ZERO_ADDRESS: Address = `0x${'00'.repeat(20)}`;
const ONES_ADDRESS: Address = `0x${'ff'.repeat(20)}`;

const word = (name: string): Hex => toHex(keccak(new TextEncoder().encode(name)));
const address = (name: string): Address => `0x${word(name).slice(-40)}`;

const CHANNELS = address('channels');
const RECEIPTS = address('receipts');
const AUDITS = address('audits');
const SETTLEMENT = settlementDomain(CHAIN_ID, CHANNELS);
const COMPUTE = computeDomain(CHAIN_ID, RECEIPTS);
const AUDIT = auditDomain(CHAIN_ID, AUDITS);

type TypeFields = Readonly<Record<string, readonly { name: string; type: string }[]>>;

/** `Name(type field,…)`, followed by the types that it refers to (EIP-712, encodeType). */
function encodeType(primaryType: string, types: TypeFields): string {
  const encode = (name: string) =>
    `${name}(${types[name]!.map((field) => `${field.type} ${field.name}`).join(',')})`;
  const referred = types[primaryType]!.map(({ type }) => type).filter((type) => type in types);
  return [encode(primaryType), ...referred.sort().map(encode)].join('');
}

/** Type string and its hash, for every message. */
function typeVectors(): Record<string, { type: string; hash: Hex }> {
  const describe = (primaryType: string, types: TypeFields) => {
    const type = encodeType(primaryType, types);
    return { type, hash: word(type) };
  };
  return {
    ChannelConfig: describe('ChannelConfig', CHANNEL_TYPES),
    Voucher: describe('Voucher', VOUCHER_TYPES),
    LaneVoucher: describe('LaneVoucher', LANE_VOUCHER_TYPES),
    Sampler: describe('Sampler', JOB_TYPES),
    Job: describe('Job', JOB_TYPES),
    StreamHead: describe('StreamHead', STREAM_HEAD_TYPES),
    Receipt: describe('Receipt', RECEIPT_TYPES),
    Plant: describe('Plant', PLANT_TYPES),
    AuditRequest: describe('AuditRequest', AUDIT_REQUEST_TYPES),
    Model: { type: MODEL_TYPE, hash: word(MODEL_TYPE) },
  };
}

const CONFIGS: readonly ChannelConfig[] = [
  {
    payer: address('payer'),
    payerAuthorizer: ZERO_ADDRESS,
    receiver: address('receiver'),
    receiverAuthorizer: address('receiver authorizer'),
    token: address('token'),
    withdrawDelay: 900,
    salt: ZERO,
  },
  {
    payer: ONES_ADDRESS,
    payerAuthorizer: ONES_ADDRESS,
    receiver: ONES_ADDRESS,
    receiverAuthorizer: ONES_ADDRESS,
    token: ONES_ADDRESS,
    withdrawDelay: 2 ** 40 - 1,
    salt: ONES,
  },
];

const channelVectors = () =>
  CONFIGS.map((config, index) => {
    const id = channelId(SETTLEMENT, config);
    const voucher = { channelId: id, maxClaimableAmount: index === 0 ? 0n : UINT128_MAX };
    const lane = { ...voucher, lane: index === 0 ? 63 : UINT32_MAX, receiptRoot: word('root') };
    return {
      config,
      channelId: id,
      maxClaimableAmount: voucher.maxClaimableAmount,
      voucherDigest: hashVoucher(SETTLEMENT, voucher),
      lane: lane.lane,
      receiptRoot: lane.receiptRoot,
      laneVoucherDigest: hashLaneVoucher(SETTLEMENT, lane),
    };
  });

/** A job whose numbers are all `number` (or the most that a field holds) and whose stop ids are `stopIds`. */
const jobOf = (number: number, stopIds: readonly number[]): Job => ({
  modelId: word(`model ${number}`),
  provider: address(`provider ${number}`),
  requester: address(`requester ${number}`),
  channelId: word(`channel ${number}`),
  lane: number,
  tier: Math.min(number, 255),
  inputRoot: word(`input ${number}`),
  traceKeyHash: word(`trace key ${number}`),
  inputCount: number,
  outputCountMax: number,
  sampler: {
    tau: number,
    topK: number,
    topP: number,
    minP: number,
    seed: word(`seed ${number}`),
    stopIds,
    controls: number === 0 ? ZERO : word(`controls ${number}`),
  },
  inputPrice: number === UINT32_MAX ? UINT128_MAX : BigInt(number),
  outputPrice: number === UINT32_MAX ? UINT128_MAX : BigInt(number),
  expiresAt: number === UINT32_MAX ? UINT64_MAX : BigInt(number),
  nonce: word(`nonce ${number}`),
});

const jobVectors = () =>
  [jobOf(0, []), jobOf(3, [2, 32_000, 0]), jobOf(UINT32_MAX, [UINT32_MAX])].map((job) => ({
    job,
    jobId: jobId(COMPUTE, job),
  }));

function receiptVectors() {
  const receipts: readonly Receipt[] = [
    {
      jobId: word('job'),
      outputRoot: word('output'),
      outputCount: 32,
      finish: 1,
      streamHead: word('head'),
      price: 123_456n,
      completedAt: 1_800_000_000n,
    },
    {
      jobId: ONES,
      outputRoot: ZERO,
      outputCount: UINT32_MAX,
      finish: 2,
      streamHead: ONES,
      price: UINT128_MAX,
      completedAt: UINT64_MAX,
    },
  ];
  return receipts.map((receipt) => ({ receipt, digest: hashReceipt(COMPUTE, receipt) }));
}

const streamHeadVectors = () =>
  [0, UINT32_MAX].map((count) => {
    const streamHead = { jobId: word('job'), count, head: word(`head ${count}`) };
    return { streamHead, digest: hashStreamHead(COMPUTE, streamHead) };
  });

const plantVectors = () =>
  [ZERO, word('trace')].map((root) => {
    const plant = { jobId: word('job'), root };
    return { plant, digest: hashPlant(AUDIT, plant) };
  });

const auditRequestVectors = () =>
  [0, 255].map((place) => {
    const number = place === 0 ? 0n : UINT64_MAX;
    const request = {
      provider: address(`provider ${place}`),
      epoch: number,
      index: number,
      place,
      expiresAt: number,
    };
    return { request, digest: hashAuditRequest(AUDIT, request) };
  });

function modelVectors() {
  const model = {
    weightsRoot: word('weights'),
    graphRoot: word('graph'),
    tablesRoot: word('tables'),
    tokenizerHash: word('tokenizer'),
    templateHash: word('template'),
    boundsHash: word('bounds'),
    specId: ONES,
  };
  return [{ model, modelId: modelCommitmentId(model) }];
}

/** Trees around powers of two, where rules for odd nodes differ, with a proof of every leaf. */
const MERKLE_COUNTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33];

const merkleVectors = () =>
  MERKLE_COUNTS.map((count) => {
    const leaves = Array.from({ length: count }, (_, index) =>
      index % 3 === 2 ? new Uint8Array(index % 5) : keccak(bigEndian(index, 4)),
    );
    return {
      count,
      leaves: leaves.map(toHex),
      root: toHex(merkleRoot(leaves)),
      proofs: leaves.map((_, index) => merkleProof(leaves, index).map(toHex)),
    };
  });

const print = (value: unknown): string =>
  `${JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? item.toString() : item), 2)}\n`;

/** Texts of both files. */
export function generateVectors(): readonly GeneratedFile[] {
  const source = 'tools/src/generate-vectors.ts';
  const eip712 = {
    source,
    chainId: CHAIN_ID,
    channels: CHANNELS,
    receipts: RECEIPTS,
    audits: AUDITS,
    settlementSeparator: domainSeparator({ domain: SETTLEMENT }),
    computeSeparator: domainSeparator({ domain: COMPUTE }),
    auditSeparator: domainSeparator({ domain: AUDIT }),
    types: typeVectors(),
    channelVectors: channelVectors(),
    jobVectors: jobVectors(),
    streamHeadVectors: streamHeadVectors(),
    receiptVectors: receiptVectors(),
    plantVectors: plantVectors(),
    auditRequestVectors: auditRequestVectors(),
    modelVectors: modelVectors(),
  };
  return [
    { name: 'eip712.json', text: print(eip712) },
    { name: 'merkle.json', text: print({ source, trees: merkleVectors() }) },
  ];
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function main(): void {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '../../vectors');
  const check = process.argv.includes('--check');
  for (const { name, text } of generateVectors()) {
    const path = join(folder, name);
    if (readOrEmpty(path) === text) continue;
    console.log(`${check ? 'differs' : 'written'}: vectors/${name}`);
    if (check) process.exitCode = 1;
    else writeFileSync(path, text);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
