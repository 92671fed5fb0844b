/** Kinds of the LinearJudge: sums of products, and the tiles and tokens that they read. */
import {
  closingPosition,
  decodeGain,
  decodeMatrixLeaf,
  decodeWeightHeader,
  dotRow,
  mixBlock,
  SUM_ELEMENTS,
  sharedHead,
  TILE_POSITIONS,
  traceFormulas,
} from '@assay/engine';
import { TOKENS_PER_LEAF } from '@assay/protocol';
import { nodeOf, openRows, requireBelow, type Scene } from '../access.js';
import { proofMalformed } from '../proof-malformed.js';
import { I30, isWrongElement, type Kind } from './claim.js';

/** Columns of the weight of the node on trial. */
const weightColumns = (scene: Scene): number =>
  scene.graph.weights[nodeOf(scene).weights[0]!]!.shape.at(-1)!;

/** Heads of keys or values of the node on trial. */
const kvHeads = ({ graph, ...scene }: Scene): number =>
  graph.tensors[nodeOf({ graph, ...scene }).inputs[1]!]!.shape[1] as number;

const total = (sums: readonly bigint[]): bigint => sums.reduce((sum, part) => sum + part, 0n);

/** The token at the position on trial, from the leaf of prompt or answer. */
function tokenAt({ access, job, t }: Scene): number {
  const isInput = t < job.inputCount;
  const index = isInput ? t : t - job.inputCount;
  const leaf = access.tokenLeaf(isInput ? 'input' : 'output', Math.floor(index / TOKENS_PER_LEAF));
  return tokenIn(leaf, index);
}

/** Id of token `index` in the leaf that holds it: 32 bytes of salt, 4 of the leaf's number, then ids. */
export const tokenIn = (leaf: Uint8Array, index: number): number =>
  new DataView(leaf.buffer, leaf.byteOffset).getUint32(36 + 4 * (index % TOKENS_PER_LEAF));

export const LINEAR_KINDS = {
  /** `part` is the token, which the last opening confirms: the table's leaf stands before the token's. */
  embedElement: {
    number: 0x10,
    isGuilty(scene) {
      const { access, index, part } = scene;
      const claimed = openRows(scene).own().element(0, index);
      const chunks = Math.ceil(weightColumns(scene) / SUM_ELEMENTS);
      const piece = access.weightLeaf(1 + part * chunks + Math.floor(index / SUM_ELEMENTS));
      const { exponent } = decodeWeightHeader(access.weightLeaf(0));
      if (tokenAt(scene) !== part) throw proofMalformed('another token stands there', part);
      const weight = traceFormulas.weightOf(decodeMatrixLeaf(piece), 0, index % SUM_ELEMENTS);
      const shift = -nodeOf(scene).parameters.residualBits! - exponent;
      return traceFormulas.embedElement(weight, shift) !== BigInt(claimed);
    },
  },
  matmulElement: {
    number: 0x11,
    isGuilty(scene) {
      const { access, index } = scene;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const activations = x.elements(0, 0, x.layout.size);
      const inputFacts = x.facts(0);
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const matrix = decodeMatrixLeaf(access.weightLeaf(1 + index));
      const { exponent } = decodeWeightHeader(access.weightLeaf(0));
      const value = dotRow(matrix, 0, { x: activations, from: 0, to: matrix.cols });
      const base = inputFacts.numbers.exponent! + exponent;
      return isWrongElement(value, { base, ...I30 }, { mantissa, index, facts });
    },
  },
  matmulSum: {
    number: 0x12,
    isGuilty(scene) {
      const { access, index } = scene;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const value = total(own.partials(index));
      const inputFacts = x.facts(0);
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const { exponent } = decodeWeightHeader(access.weightLeaf(0));
      const base = inputFacts.numbers.exponent! + exponent;
      return isWrongElement(value, { base, ...I30 }, { mantissa, index, facts });
    },
  },
  matmulPartial: {
    number: 0x13,
    isGuilty(scene) {
      const { access, index, part } = scene;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const from = part * SUM_ELEMENTS;
      const activations = x.elements(0, from, Math.min(x.layout.size, from + SUM_ELEMENTS));
      const sums = own.partials(index);
      const matrix = decodeMatrixLeaf(access.weightLeaf(1 + index * sums.length + part));
      const sum = dotRow(matrix, 0, { x: activations, from: 0, to: matrix.cols });
      return sum !== sums[part];
    },
  },
  scoreElement: {
    number: 0x14,
    isGuilty(scene) {
      const { head, index } = scene;
      const rows = openRows(scene, index);
      const [query, own, keys] = [rows.input(0), rows.own(), rows.inputThere(1)];
      const g = sharedHead(head, own.layout.heads, keys.layout.heads);
      const q = query.elements(head, 0, query.layout.size);
      const queryFacts = query.facts(head);
      const claimed = own.element(head, index);
      const k = keys.elements(g, 0, keys.layout.size);
      const keyFacts = keys.facts(g);
      const exponents = queryFacts.numbers.exponent! + keyFacts.numbers.exponent!;
      const scaleQ24 = nodeOf(scene).parameters.scaleQ24!;
      return traceFormulas.scoreElement(q, k, { exponents, scaleQ24 }) !== BigInt(claimed);
    },
  },
  mixElement: {
    number: 0x15,
    isGuilty(scene) {
      const { head, index } = scene;
      const rows = openRows(scene);
      const [weights, own] = [rows.input(0), rows.own()];
      const value = total(own.partials(head * own.layout.size + index));
      const weightFacts = weights.facts(head);
      const facts = own.facts(head);
      const mantissa = own.element(head, index);
      const base = weightFacts.numbers.exponent!;
      return isWrongElement(value, { base, ...I30 }, { mantissa, index, facts });
    },
  },
  mixPartial: {
    number: 0x16,
    isGuilty(scene) {
      const { head, index, part, job, t } = scene;
      const rows = openRows(scene, closingPosition(job, part));
      const [weights, own, closing] = [rows.input(0), rows.own(), rows.ownThere()];
      const from = part * TILE_POSITIONS;
      const to = Math.min(t + 1, from + TILE_POSITIONS);
      const w = weights.elements(head, from, to);
      const sums = own.partials(head * own.layout.size + index);
      const column = closing.tileColumn(sharedHead(head, own.layout.heads, kvHeads(scene)), index);
      return BigInt(mixBlock(w, column)) !== sums[part];
    },
  },
  tile: {
    number: 0x17,
    isGuilty(scene) {
      const { head, index, part, t } = scene;
      requireBelow(part, (t % TILE_POSITIONS) + 1);
      const rows = openRows(scene, t - (t % TILE_POSITIONS) + part);
      const column = rows.own().tileColumn(head, index);
      return column[part] !== rows.inputThere(1).element(head, index);
    },
  },
  biasElement: {
    number: 0x18,
    isGuilty(scene) {
      const { access, index } = scene;
      const rows = openRows(scene);
      const [x, own] = [rows.input(0), rows.own()];
      const y = x.element(0, index);
      const exponent = x.facts(0).numbers.exponent!;
      const facts = own.facts(0);
      const mantissa = own.element(0, index);
      const gains = access.weightLeaf(1 + Math.floor(index / SUM_ELEMENTS));
      const header = decodeWeightHeader(access.weightLeaf(0));
      const bias = { mantissa: decodeGain(gains, index % SUM_ELEMENTS), ...header };
      const { value, base } = traceFormulas.biasElement({ mantissa: y, exponent }, bias);
      return isWrongElement(value, { base, ...I30 }, { mantissa, index, facts });
    },
  },
} as const satisfies Readonly<Record<string, Kind>>;
