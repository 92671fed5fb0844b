/**
 * Writes `vectors/court/*.json`: what the reference kernels give for rows drawn from hashes, so that each checker of
 * `contracts/dispute` is held against at least 2,000 leaves of its op. Inputs are not stored: both sides draw them from
 * the same stream of keccak words (`drawStream` here, `Draw.sol` there), edges included. `--check` writes nothing and
 * exits 1 when the committed files differ.
 *
 *     node tools/dist/generate-court-vectors.js [--check]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  type EngineModel,
  EXP2_HIGH,
  EXP2_LOW,
  exp2n,
  matrixAt,
  nextToken,
  referenceOps as ops,
  randomEngineModel,
  ropeSteps,
  roundShift,
  SPEC_NAME,
  scoreScaleQ24,
  TURNS_HIGH,
  TURNS_LOW,
  tablesRoot,
  tensorRows,
  type W8Matrix,
} from '@assay/engine';
import { bigEndian, concat, keccak, toHex } from '@assay/protocol';

export type GeneratedFile = { readonly name: string; readonly text: string };

/** Largest magnitudes of the formats (arithmetic.md, section 3). */
const A16_MAX = 32_767;
const I30_MAX = 2 ** 30;
const WORD_MAX = 2 ** 31 - 1;
const GAIN_MAX = 2 ** 24 - 1;
const BLOCK = 32;

/** How the numbers of a row are spread; row i uses spread i mod 4. */
const SPREADS = ['uniform', 'edges', 'largest', 'small'] as const;

/** Numbers from keccak256(keccak256(name ‖ u32 row) ‖ u32 block), eight words of 32 bits per block. */
function drawStream(name: string, row: number) {
  const key = keccak(concat([new TextEncoder().encode(name), bigEndian(row, 4)]));
  const spread = SPREADS[row % SPREADS.length]!;
  let drawn = 0;
  let block: DataView = new DataView(new ArrayBuffer(32));
  const word = (): number => {
    if (drawn % 8 === 0) {
      block = new DataView(keccak(concat([key, bigEndian(drawn / 8, 4)])).buffer);
    }
    return block.getUint32(4 * (drawn++ % 8));
  };
  /** From -limit to limit. */
  const signed = (limit: number): number => {
    const v = word();
    const uniform = (v % (2 * limit + 1)) - limit;
    if (spread === 'uniform') return uniform;
    if (spread === 'small') return Math.floor(uniform / 2 ** (v % 31));
    const sign = v >= 2 ** 31 ? -1 : 1;
    return spread === 'largest' ? sign * limit : sign * edge(v, limit);
  };
  const between = (low: number, high: number): number => low + (word() % (high - low + 1));
  return { word, signed, between };
}

type Stream = ReturnType<typeof drawStream>;

/** 0, the limit, the limit less one, half of it and one more, or a power of two (less one for odd choices). */
function edge(v: number, limit: number): number {
  const choice = v % 8;
  if (choice === 0) return 0;
  if (choice === 1) return limit;
  if (choice === 2) return limit - 1;
  if (choice === 3) return Math.floor(limit / 2) + 1;
  return Math.min(limit, 2 ** (Math.floor(v / 8) % 32) - (choice % 2));
}

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const row16 = (draw: Stream, size: number, exponent: number) => ({
  values: Int16Array.from(times(size, () => draw.signed(A16_MAX))),
  exponent,
});
const row30 = (draw: Stream, size: number, exponent: number) => ({
  values: Int32Array.from(times(size, () => draw.signed(I30_MAX))),
  exponent,
});
const residualRow = (draw: Stream, size: number) => ({
  values: Int32Array.from(times(size, () => draw.signed(WORD_MAX))),
  clampedCount: 0,
});

/** Every byte drawn alike; a quarter of the rows has all scales or all weights at their ends. */
function drawMatrix(draw: Stream, rows: number, cols: number): W8Matrix {
  const extreme = draw.word() % 4 === 0;
  const rowShifts = Uint8Array.from(times(rows, () => draw.between(0, 7)));
  const scales = Uint16Array.from(
    times((rows * cols) / BLOCK, () => (extreme ? 65_535 : draw.word() & 0xffff)),
  );
  const data = Int8Array.from(
    times(rows * cols, () => (extreme ? -128 : (draw.word() & 0xff) - 128)),
  );
  return { rows, cols, data, scales, rowShifts, exponent: draw.between(-40, -10) };
}

/** Big-endian two's complement. */
const pack = (size: number, ...values: (number | bigint)[]): Uint8Array =>
  concat(values.map((value) => bigEndian(BigInt.asUintN(8 * size, BigInt(value)), size)));

const NO_WITNESS = 0xffff;

/**
 * An element that forces the exponent of its row: with more than half of the mantissa's range it needs every bit. A row
 * without one (all small, or exactly half) gives none.
 */
function witnessOf(values: ArrayLike<number>, bits: number): number {
  const index = Array.from(values).findIndex((m) => Math.abs(m) > 2 ** (bits - 1));
  return index < 0 ? NO_WITNESS : index;
}

/** Exponent (2 bytes), witness (2 bytes), mantissas. */
function packRow(row: { values: ArrayLike<number>; exponent: number }, bits: number): Uint8Array {
  const size = bits === 15 ? 2 : 4;
  const head = pack(2, row.exponent, witnessOf(row.values, bits));
  return concat([head, pack(size, ...Array.from(row.values))]);
}

/** Each op: number of rows, and the bytes expected of row i. Leaves per row are stated beside it. */
const OPS: Readonly<Record<string, { rows: number; leaves: number; make: RowMaker }>> = {
  // 8 matrix rows against one row of activations; the exact sums, then the row.
  matmul: {
    rows: 256,
    leaves: 8,
    make(draw, row) {
      const blocks = row % 32 === 0 ? 32 : draw.between(1, 4);
      const matrix = drawMatrix(draw, 8, BLOCK * blocks);
      const x = row16(draw, matrix.cols, draw.between(-20, 0));
      const sums = times(8, (o) => exactSum(matrix, o, x.values));
      return concat([packRow(ops.matmul(matrix, x), 30), pack(8, ...sums)]);
    },
  },
  embed: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const table = drawMatrix(draw, 1, BLOCK);
      return pack(4, ...ops.embed(table, 0, draw.between(12, 20)).values);
    },
  },
  rmsNorm: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const residual = residualRow(draw, 32);
      const data = Int32Array.from(times(32, () => draw.signed(GAIN_MAX)));
      const gains = { data, exponent: draw.between(-40, 0) };
      const residualBits = draw.between(12, 20);
      const epsilonQ40 = 2 ** draw.between(17, 34) - (draw.word() % 2) * 7;
      const result = ops.rmsNorm(residual, gains, { residualBits, epsilonQ40 });
      return concat([packRow(result, 15), normFacts(residual.values)]);
    },
  },
  rope: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const row = row30(draw, 32, draw.between(-40, 0));
      const position = draw.word() % 131_072;
      const [head] = ops.rope(row, ropeSteps(10_000, 32), { headCount: 1, position });
      return packRow(head!, 15);
    },
  },
  splitHeads: {
    rows: 64,
    leaves: 32,
    make(draw) {
      return packRow(ops.splitHeads(row30(draw, 32, draw.between(-40, 0)), 1)[0]!, 15);
    },
  },
  // 8 keys; every head size from 2 to 64 that is even.
  scores: {
    rows: 256,
    leaves: 8,
    make(draw) {
      const size = 2 * draw.between(1, 32);
      const query = row16(draw, size, draw.between(-20, -6));
      const keys = times(8, () => row16(draw, size, draw.between(-20, -6)));
      return pack(4, ...ops.scores(query, keys, scoreScaleQ24(size)));
    },
  },
  // Weights, then largest score, top exponent, S.
  softmax: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const limit = draw.word() % 2 === 0 ? WORD_MAX : 4_000_000;
      const scoreRow = Int32Array.from(times(32, () => draw.signed(limit)));
      const exponents = times(32, () => draw.between(-24, -8));
      const values = exponents.map((exponent) => ({ values: new Int16Array(), exponent }));
      const result = ops.softmax(scoreRow, values);
      const facts = [pack(4, Math.max(...scoreRow)), pack(2, Math.max(...exponents))];
      return concat([packRow(result, 30), ...facts, pack(8, result.sum)]);
    },
  },
  // 8 columns over 1 to 64 positions: one tile.
  mix: {
    rows: 256,
    leaves: 8,
    make(draw) {
      const positions = draw.between(1, 64);
      const P = times(positions, () => Math.abs(draw.signed(I30_MAX - 1)));
      const weights = { values: Int32Array.from(P), exponent: draw.between(-40, 0), sum: 0n };
      const values = times(positions, () => row16(draw, 8, 0));
      return packRow(ops.mix(weights, values), 30);
    },
  },
  // 4 heads of 8, each with its own sum; then the top exponent.
  joinHeads: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const mixed = times(4, () => row30(draw, 8, draw.between(-40, 0)));
      const sums = times(4, () => BigInt(2 ** 30) * BigInt(draw.between(1, 131_072)));
      const heads = sums.map((sum) => ({ values: new Int32Array(), exponent: 0, sum }));
      return packRow(ops.joinHeads(mixed, heads), 15);
    },
  },
  swiGlu: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const gate = row30(draw, 32, draw.between(-40, 0));
      const up = row30(draw, 32, draw.between(-40, 0));
      return packRow(ops.swiGlu(gate, up), 15);
    },
  },
  residualAdd: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const residual = residualRow(draw, 32);
      const row = row30(draw, 32, draw.between(-60, 0));
      return pack(4, ...ops.residualAdd(residual, row, draw.between(12, 20)).values);
    },
  },
  logits: {
    rows: 64,
    leaves: 32,
    make(draw) {
      return pack(4, ...ops.logits(row30(draw, 32, draw.between(-60, 0))));
    },
  },
  bias: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const row = row30(draw, 32, draw.between(-60, 20));
      const data = Int32Array.from(times(32, () => draw.signed(GAIN_MAX)));
      return packRow(ops.bias(row, { data, exponent: draw.between(-60, 20) }), 30);
    },
  },
  // 2 heads of 16; epsilon from negligible to all that counts.
  headNorm: {
    rows: 64,
    leaves: 32,
    make(draw) {
      const row = row30(draw, 32, draw.between(-70, 20));
      const data = Int32Array.from(times(16, () => draw.signed(GAIN_MAX)));
      const gains = { data, exponent: draw.between(-40, 0) };
      const epsilonQ40 = 2 ** draw.between(17, 34) - (draw.word() % 2) * 7;
      return packRow(ops.headNorm(row, gains, { headCount: 2, epsilonQ40 }), 30);
    },
  },
  // 64 logits: the token, the cuts and the sums that prove them.
  sampler: {
    rows: 32,
    leaves: 64,
    make(draw) {
      const limit = draw.word() % 2 === 0 ? WORD_MAX : 400_000;
      const row = Int32Array.from(times(64, () => draw.signed(limit)));
      const settings = {
        tau: draw.word() % 4 === 0 ? 0 : draw.word() >>> draw.between(0, 20),
        topK: draw.word() % 2 === 0 ? 0 : draw.between(1, 64),
        topP: draw.word() % 2 === 0 ? 0 : draw.word() >>> 2,
        minP: draw.word() % 2 === 0 ? 0 : draw.word() >>> draw.between(2, 12),
      };
      const seed = concat(times(8, () => pack(4, draw.word())));
      const token = nextToken(row, settings, seed, draw.word());
      return concat([pack(4, token), cutFacts(row, settings)]);
    },
  },
};

type RowMaker = (draw: Stream, row: number) => Uint8Array;

/** 2^r * sum of s * w * x over a row, from the definition. */
function exactSum(matrix: W8Matrix, o: number, x: Int16Array): bigint {
  let sum = 0n;
  x.forEach((value, k) => {
    const index = o * matrix.cols + k;
    const scale = matrix.scales[Math.floor(index / BLOCK)]!;
    sum += BigInt(matrix.data[index]! * value) * BigInt(scale);
  });
  return sum << BigInt(matrix.rowShifts[o]!);
}

/** Pre-shift, sum of squares, an element that forces the shift. */
function normFacts(residual: Int32Array): Uint8Array {
  const lengths = Array.from(residual, (h) => Math.abs(h).toString(2).length);
  const shift = Math.max(0, Math.max(...lengths) - 24);
  let squares = 0n;
  for (const h of residual) squares += roundShift(BigInt(h), shift) ** 2n;
  const witness = shift === 0 ? NO_WITNESS : lengths.indexOf(24 + shift);
  return concat([pack(1, shift), pack(8, squares), pack(2, witness)]);
}

type Settings = Parameters<typeof nextToken>[1];

/** Ids of the largest logit, of the last token of top-k and of top-p; then S and C. */
function cutFacts(row: Int32Array, settings: Settings): Uint8Array {
  const order = Array.from(row.keys()).sort((a, b) => row[b]! - row[a]! || a - b);
  const ranked = settings.topK > 0 ? order.slice(0, settings.topK) : order;
  const z = (id: number) => roundShift(BigInt(row[id]!) * BigInt(settings.tau), 16);
  const weight = (id: number) => exp2n(z(order[0]!) - z(id));
  const sum = ranked.reduce((total, id) => total + weight(id), 0n);
  let count = 0;
  let share = 0n;
  while (share << 30n < BigInt(settings.topP) * sum) share += weight(ranked[count++]!);
  const cuts = [order[0]!, ranked.at(-1)!, ranked[Math.max(0, count - 1)]!];
  return concat([pack(4, ...cuts), pack(8, sum, share)]);
}

/** The tables in the order of their contract, and the root that their constructor asks for. */
function tableVectors(): object {
  const turns = ({ cos, sin }: typeof TURNS_HIGH) =>
    times(2 * cos.length, (i) => (i & 1 ? sin : cos)[i >> 1]!);
  const values = [...EXP2_HIGH, ...EXP2_LOW, ...turns(TURNS_HIGH), ...turns(TURNS_LOW)];
  return { bytes: toHex(pack(4, ...values)), root: toHex(tablesRoot(keccak)) };
}

const LEAF_COUNT = 8;

/** Leaves as a model commits to them, with activations, their exact sum, and the elements as embeddings. */
function leafVectors(): object[] {
  const model: EngineModel = randomEngineModel({ seed: 4 });
  const name = model.graph.weights[0]!.name;
  const matrix = matrixAt(model, 0);
  const leaves = [...tensorRows(model).find((tensor) => tensor.name === name)!.leaves].slice(1);
  return times(LEAF_COUNT, (row) => {
    const x = row16(drawStream('leaf', row), matrix.cols, 0);
    return {
      weights: toHex(leaves[row]!),
      activations: toHex(pack(2, ...Array.from(x.values, (m) => m + 32_768))),
      sum: String(exactSum(matrix, row, x.values)),
      base: matrix.exponent + 16,
      embedded: Array.from(ops.embed(matrix, row, 16).values),
    };
  });
}

/** Texts of all files. */
export function generateCourtVectors(): readonly GeneratedFile[] {
  const source = 'tools/src/generate-court-vectors.ts';
  const print = (value: object): string =>
    `${JSON.stringify({ spec: SPEC_NAME, source, ...value }, undefined, 1)}\n`;
  const files = Object.entries(OPS).map(([op, { rows, leaves, make }]) => {
    const expected = times(rows, (row) => toHex(make(drawStream(op, row), row)));
    return { name: `${op}.json`, text: print({ op, leaves: rows * leaves, rows: expected }) };
  });
  return [
    ...files,
    { name: 'tables.json', text: print(tableVectors()) },
    { name: 'leaves.json', text: print({ leaves: leafVectors() }) },
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
  const folder = join(dirname(fileURLToPath(import.meta.url)), '../../vectors/court');
  mkdirSync(folder, { recursive: true });
  const check = process.argv.includes('--check');
  for (const { name, text } of generateCourtVectors()) {
    const path = join(folder, name);
    if (readOrEmpty(path) === text) continue;
    console.log(`${check ? 'differs' : 'written'}: vectors/court/${name}`);
    if (check) process.exitCode = 1;
    else writeFileSync(path, text);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
