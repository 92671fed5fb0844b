import { testDollarAbi } from '@assay/protocol/abi';
import { describe, expect, it } from 'vitest';
import { type Artifact, CONTRACTS, generate, variableName } from './generate-abi.js';

const artifact: Artifact = {
  abi: [
    { type: 'function', name: 'f' },
    { type: 'error', name: 'E' },
  ],
  bytecode: { object: '0x6001' },
};

describe('variableName', () => {
  it('is the contract in lower camel case', () => {
    expect(CONTRACTS.map(variableName)).toEqual([
      'testDollar',
      'channels',
      'stake',
      'offers',
      'receipts',
      'modelRegistry',
      'tables',
      'checker',
      'formJudge',
      'linearJudge',
      'mapJudge',
      'rowJudge',
      'samplingJudge',
      'vaults',
      'vault',
      'court',
      'audits',
    ]);
  });
});

describe('generate', () => {
  it('writes one constant per contract and file, the same text for the same artifacts', () => {
    const artifacts = new Map([
      ['a/First', artifact],
      ['b/Second', artifact],
    ]);
    const [abi, bytecode] = generate(artifacts);
    expect(abi?.name).toBe('abi.ts');
    expect(abi?.text).toContain('export const firstAbi = [\n  {"type":"function","name":"f"},\n');
    expect(abi?.text.match(/as const;/g)).toHaveLength(2);
    expect(bytecode?.text).toContain("=\n  '0x6001';");
    expect(abi?.text).toContain('Do not edit');
    expect(generate(artifacts)).toEqual([abi, bytecode]);
  });

  it('made the committed files: their types know the functions', () => {
    const names = testDollarAbi.map((item) => ('name' in item ? item.name : item.type));
    expect(names).toContain('receiveWithAuthorization');
  });
});
