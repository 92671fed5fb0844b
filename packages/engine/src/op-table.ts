/**
 * The op table: every op of `flex16-w8a16-v0` as data. Kernels, shape checks, graph bytes and documentation are driven
 * by it, so an op exists exactly where this table says. It knows shapes and formats, not how an op is computed (see
 * `docs/reference/arithmetic.md`, which numbers the ops alike).
 *
 * A shape is a list of sizes; a size is `T` (positions of the sequence), a letter bound by the first use, or a product
 * such as `H*D`. One exponent belongs to each row, that is to each setting of all indices but the last.
 */

/** How the integers of a tensor are stored (arithmetic.md, section 3). */
export type Format = 'token' | 'H' | 'A16' | 'I30' | 'Q16' | 'P30';

/** How a weight is stored: 8-bit matrix, 24-bit gains or biases, rotary steps. */
export type WeightKind = 'W8' | 'G24' | 'rope';

export type OpInput = {
  readonly name: string;
  readonly format: Format;
  readonly shape: readonly string[];
  /** `row`: position t reads row t. `prefix`: position t reads rows 0..t, so a session must keep them. */
  readonly reads: 'row' | 'prefix';
};

export type OpWeight = {
  readonly name: string;
  readonly kind: WeightKind;
  readonly shape: readonly string[];
};

export type OpParameter = {
  readonly name: string;
  /** The shape letter that this parameter binds, if any. */
  readonly binds?: string;
  readonly meaning: string;
};

export type OpDefinition = {
  /** Byte that stands for the op in a committed graph; never reused. */
  readonly id: number;
  readonly summary: string;
  readonly inputs: readonly OpInput[];
  readonly weights: readonly OpWeight[];
  readonly parameters: readonly OpParameter[];
  readonly output: { readonly format: Format; readonly shape: readonly string[] };
};

const row = (name: string, format: Format, ...shape: string[]): OpInput => ({
  name,
  format,
  shape,
  reads: 'row',
});
const prefix = (name: string, format: Format, ...shape: string[]): OpInput => ({
  name,
  format,
  shape,
  reads: 'prefix',
});
const matrix = (name: string, ...shape: string[]): OpWeight => ({ name, kind: 'W8', shape });
const output = (format: Format, ...shape: string[]) => ({ format, shape });

const RESIDUAL_BITS: OpParameter = {
  name: 'residualBits',
  meaning: 'fraction bits hg of the residual stream',
};
const EPSILON: OpParameter = {
  name: 'epsilonQ40',
  meaning: 'epsilon under the root, in units of 2^-40',
};
const HEAD_COUNT: OpParameter = { name: 'headCount', binds: 'H', meaning: 'heads in the row' };

export const OP_TABLE = {
  embed: {
    id: 1,
    summary: 'Row of the token table, on the residual grid.',
    inputs: [row('tokens', 'token', 'T')],
    weights: [matrix('table', 'V', 'D')],
    parameters: [RESIDUAL_BITS],
    output: output('H', 'T', 'D'),
  },
  rmsNorm: {
    id: 2,
    summary: 'Root-mean-square normalisation with gains, quantised.',
    inputs: [row('residual', 'H', 'T', 'D')],
    weights: [{ name: 'gains', kind: 'G24', shape: ['D'] }],
    parameters: [RESIDUAL_BITS, EPSILON],
    output: output('A16', 'T', 'D'),
  },
  matmul: {
    id: 3,
    summary: 'Every row of an 8-bit matrix against the row.',
    inputs: [row('activations', 'A16', 'T', 'K')],
    weights: [matrix('matrix', 'N', 'K')],
    parameters: [],
    output: output('I30', 'T', 'N'),
  },
  rope: {
    id: 4,
    summary: 'Rotates adjacent pairs of each head by the position, quantised per head.',
    inputs: [row('row', 'I30', 'T', 'H*2*P')],
    weights: [{ name: 'steps', kind: 'rope', shape: ['P'] }],
    parameters: [HEAD_COUNT],
    output: output('A16', 'T', 'H', '2*P'),
  },
  splitHeads: {
    id: 5,
    summary: 'Quantises each head of the row by itself.',
    inputs: [row('row', 'I30', 'T', 'H*D')],
    weights: [],
    parameters: [HEAD_COUNT],
    output: output('A16', 'T', 'H', 'D'),
  },
  scores: {
    id: 6,
    summary: 'Query times every key so far, in base-2 units.',
    inputs: [row('query', 'A16', 'T', 'H', 'D'), prefix('keys', 'A16', 'T', 'G', 'D')],
    weights: [],
    parameters: [{ name: 'scaleQ24', meaning: 'log2(e) / sqrt(D) * a^2 in Q24' }],
    output: output('Q16', 'T', 'H', 'T'),
  },
  softmax: {
    id: 7,
    summary: 'Weights 2^(score - largest) with the value exponents folded in, and their sum.',
    inputs: [row('scores', 'Q16', 'T', 'H', 'T'), prefix('values', 'A16', 'T', 'G', 'D')],
    weights: [],
    parameters: [],
    output: output('P30', 'T', 'H', 'T'),
  },
  mix: {
    id: 8,
    summary: 'Weighted sum of the values so far, per head.',
    inputs: [row('weights', 'P30', 'T', 'H', 'T'), prefix('values', 'A16', 'T', 'G', 'D')],
    weights: [],
    parameters: [],
    output: output('I30', 'T', 'H', 'D'),
  },
  joinHeads: {
    id: 9,
    summary: 'Divides each head by its weight sum, aligns the heads, quantises the row.',
    inputs: [row('mixed', 'I30', 'T', 'H', 'D'), row('weights', 'P30', 'T', 'H', 'T')],
    weights: [],
    parameters: [],
    output: output('A16', 'T', 'H*D'),
  },
  swiGlu: {
    id: 10,
    summary: 'gate * sigmoid(gate) * up, quantised.',
    inputs: [row('gate', 'I30', 'T', 'F'), row('up', 'I30', 'T', 'F')],
    weights: [],
    parameters: [],
    output: output('A16', 'T', 'F'),
  },
  residualAdd: {
    id: 11,
    summary: 'Adds a row to the residual stream, saturating per element.',
    inputs: [row('residual', 'H', 'T', 'D'), row('row', 'I30', 'T', 'D')],
    weights: [],
    parameters: [RESIDUAL_BITS],
    output: output('H', 'T', 'D'),
  },
  logits: {
    id: 12,
    summary: 'The row on the fixed grid 2^-16.',
    inputs: [row('row', 'I30', 'T', 'V')],
    weights: [],
    parameters: [],
    output: output('Q16', 'T', 'V'),
  },
  bias: {
    id: 13,
    summary: 'Adds a vector to the row.',
    inputs: [row('row', 'I30', 'T', 'N')],
    weights: [{ name: 'bias', kind: 'G24', shape: ['N'] }],
    parameters: [],
    output: output('I30', 'T', 'N'),
  },
  headNorm: {
    id: 14,
    summary: 'Root-mean-square normalisation of each head of the row, with the gains of a head.',
    inputs: [row('row', 'I30', 'T', 'H*D')],
    weights: [{ name: 'gains', kind: 'G24', shape: ['D'] }],
    parameters: [HEAD_COUNT, EPSILON],
    output: output('I30', 'T', 'H*D'),
  },
} as const satisfies Readonly<Record<string, OpDefinition>>;

export type OpName = keyof typeof OP_TABLE;

/** The definition of an op, without the literal types of the table. */
export const opDefinition = (op: OpName): OpDefinition => OP_TABLE[op];
