import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OP_TABLE, type OpDefinition, type OpName, opDefinition } from './op-table.js';
import { normativePart, SPEC_ID, SPEC_NAME, specId } from './spec.js';

const ROOT = new URL('../../../', import.meta.url);
const DOCUMENT = readFileSync(new URL('docs/reference/arithmetic.md', ROOT));
const FOLDER = new URL('vectors/arithmetic/', ROOT);
const VECTORS = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(name, FOLDER))) }));

const sha256 = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest());
const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

describe('specId', () => {
  it('is the committed id of the committed document and vectors', () => {
    expect(VECTORS.length).toBeGreaterThan(15);
    expect(hex(specId({ document: DOCUMENT, vectors: VECTORS }, sha256))).toBe(SPEC_ID);
  });

  it('follows the normative part and every vector, but not the explanations', () => {
    const text = DOCUMENT.toString('utf8');
    const id = (document: string, vectors = VECTORS) =>
      hex(specId({ document: Buffer.from(document), vectors }, sha256));
    expect(id(text.replace('ties to the even one', 'ties away from zero'))).not.toBe(SPEC_ID);
    expect(id(`${text}\nMore words.\n`)).toBe(SPEC_ID);
    expect(id(text, VECTORS.slice(1))).not.toBe(SPEC_ID);
    expect(id(text, VECTORS.toReversed())).toBe(SPEC_ID);
    expect(() => normativePart(Buffer.from('no markers'))).toThrow(
      expect.objectContaining({ code: 'spec_markers_missing' }),
    );
  });
});

describe('arithmetic.md', () => {
  const text = DOCUMENT.toString('utf8');

  it('is titled with the name of the specification', () => {
    expect(text.startsWith(`# ${SPEC_NAME}:`)).toBe(true);
  });

  it('prints the op table of the code', () => {
    const printed = text.split('<!-- op table: begin -->')[1]!.split('<!-- op table: end -->')[0]!;
    expect(printed.trim()).toBe(printOpTable());
  });

  it('has a section for each op, numbered as in the table', () => {
    for (const op of Object.keys(OP_TABLE) as OpName[]) {
      expect(text).toContain(`\n### 5.${opDefinition(op).id} ${op}\n`);
    }
  });
});

/** The op table as the document shows it. */
function printOpTable(): string {
  const shape = (sizes: readonly string[]) => `[${sizes.join(', ')}]`;
  const inputs = ({ inputs, weights }: OpDefinition) =>
    [
      ...inputs.map(
        (i) => `${i.name} ${i.format} ${shape(i.shape)}${i.reads === 'prefix' ? ' prefix' : ''}`,
      ),
      ...weights.map((w) => `${w.name} ${w.kind} ${shape(w.shape)}`),
    ].join('; ');
  const rows = (Object.keys(OP_TABLE) as OpName[]).map((op) => {
    const definition = opDefinition(op);
    const parameters = definition.parameters.map((p) => `${p.name}: ${p.meaning}`).join('; ');
    const { format, shape: sizes } = definition.output;
    const cells = [definition.id, op, inputs(definition), parameters, `${format} ${shape(sizes)}`];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| byte | op | reads | parameters | gives |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
