/**
 * The words that the WebAssembly module reads: instructions, and the frame of one call. The module's classes
 * (assembly/program.ts) have the same fields in the same order; `instructions.test.ts` compares them.
 */

/** Bytes of one instruction, whatever its kind. */
export const INSTRUCTION_BYTES = 64;

const SUMS = ['values', 'exponents', 'masks', 'stride'] as const;
/** A sums tensor that is written; its stride is that of the one that is read. */
const SUMS_OUT = ['outValues', 'outExponents', 'outMasks'] as const;
const PACKED = ['weights', 'scales', 'shifts', 'exponent'] as const;
const HEADS = [...SUMS, 'heads', 'headSize', 'steps', 'out', 'outExponents', 'offset'] as const;

export const INSTRUCTIONS = {
  end: { code: 0, fields: [] },
  barrier: { code: 1, fields: [] },
  embed: { code: 2, fields: [...PACKED, 'width', 'residualBits', 'out'] },
  norm: {
    code: 3,
    fields: [
      ...(['input', 'width', 'gains', 'gainExponent', 'epsilonLow', 'epsilonHigh'] as const),
      ...(['residualBits', 'out', 'outExponents'] as const),
    ],
  },
  matmul: { code: 4, fields: ['input', 'inputExponents', 'k', ...PACKED, ...SUMS] },
  query: { code: 5, fields: HEADS },
  keys: { code: 6, fields: HEADS },
  values: { code: 7, fields: HEADS },
  attend: {
    code: 8,
    fields: [
      ...(['query', 'queryExponents', 'keys', 'keptValues', 'heads', 'kvHeads'] as const),
      ...(['headSize', 'scaleQ24', 'out', 'results'] as const),
    ],
  },
  join: {
    code: 9,
    fields: ['mixed', 'results', 'heads', 'headSize', 'out', 'outExponents'],
  },
  swiGlu: {
    code: 10,
    fields: [
      ...(['gateValues', 'gateExponents', 'gateMasks'] as const),
      ...(['upValues', 'upExponents', 'upMasks'] as const),
      ...(['stride', 'width', 'out', 'outExponents'] as const),
    ],
  },
  residualAdd: { code: 11, fields: ['residual', ...SUMS, 'width', 'residualBits', 'out'] },
  logits: { code: 12, fields: [...SUMS, 'count'] },
  select: { code: 13, fields: ['input', 'width', 'out'] },
  bias: { code: 15, fields: [...SUMS, 'width', 'vector', 'vectorExponent', ...SUMS_OUT] },
  headNorm: {
    code: 16,
    fields: [
      ...SUMS,
      ...(['heads', 'headSize', 'gains', 'gainExponent', 'epsilonLow', 'epsilonHigh'] as const),
      ...SUMS_OUT,
    ],
  },
  hidden: { code: 14, fields: ['input', 'inputExponents', 'width'] },
} as const satisfies Readonly<Record<string, { code: number; fields: readonly string[] }>>;

export type InstructionName = keyof typeof INSTRUCTIONS;

/** The values of an instruction's fields, by name; each a pointer or a 32-bit integer. */
export type InstructionFields<Name extends InstructionName> = Readonly<
  Record<(typeof INSTRUCTIONS)[Name]['fields'][number], number>
>;

/** The sixteen words of an instruction; words beyond its fields are zero. */
export function encodeInstruction<Name extends InstructionName>(
  name: Name,
  fields: InstructionFields<Name>,
): Int32Array {
  const words = new Int32Array(INSTRUCTION_BYTES / 4);
  const { code, fields: names } = INSTRUCTIONS[name];
  words[0] = code;
  names.forEach((field, i) => {
    words[i + 1] = (fields as Readonly<Record<string, number>>)[field]!;
  });
  return words;
}

/** Words of a frame, in the module's order. */
export const FRAME_FIELDS = [
  ...(['rows', 'positions', 'tokens', 'tables', 'wanted', 'wantedRows', 'logits'] as const),
  ...([
    'hiddenOnly',
    'hidden',
    'hiddenExponents',
    'saturations',
    'powers',
    'turns',
    'maskStride',
    'headRows',
    'meeting',
  ] as const),
  ...(['scratch', 'scratchStride', 'scratchPositions', 'scratchRow'] as const),
] as const;

export type FrameField = (typeof FRAME_FIELDS)[number];
