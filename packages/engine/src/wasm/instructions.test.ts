import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeInstruction, FRAME_FIELDS, INSTRUCTIONS } from './instructions.js';

const source = readFileSync(
  fileURLToPath(new URL('../../assembly/program.ts', import.meta.url)),
  'utf8',
);

/** Field names of an unmanaged class of the module, in order. */
function fieldsOf(className: string): string[] {
  const body = new RegExp(`class ${className} \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
  return [...body.matchAll(/(\w+): \w+;/g)].map((match) => match[1]!);
}

describe('INSTRUCTIONS', () => {
  it.each([
    ['embed', 'EmbedStep'],
    ['norm', 'NormStep'],
    ['matmul', 'MatmulStep'],
    ['query', 'HeadsStep'],
    ['keys', 'HeadsStep'],
    ['values', 'HeadsStep'],
    ['attend', 'AttendStep'],
    ['join', 'JoinStep'],
    ['swiGlu', 'SwiGluStep'],
    ['residualAdd', 'ResidualAddStep'],
    ['logits', 'LogitsStep'],
    ['bias', 'BiasStep'],
    ['headNorm', 'HeadNormStep'],
    ['select', 'SelectStep'],
    ['hidden', 'HiddenStep'],
  ] as const)('%s has the words of the class %s', (name, className) => {
    expect(['code', ...INSTRUCTIONS[name].fields]).toEqual(fieldsOf(className));
  });

  it('has a code of its own for each', () => {
    const codes = Object.values(INSTRUCTIONS).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe('FRAME_FIELDS', () => {
  it('are the words of the class Frame', () => {
    expect([...FRAME_FIELDS]).toEqual(fieldsOf('Frame'));
  });
});

describe('encodeInstruction', () => {
  it('writes code and fields in order and leaves the rest zero', () => {
    const words = encodeInstruction('select', { out: 3, input: 1, width: 2 });
    expect([...words.subarray(0, 5)]).toEqual([13, 1, 2, 3, 0]);
    expect(words).toHaveLength(16);
  });
});
