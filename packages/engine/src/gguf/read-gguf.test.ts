import { describe, expect, it } from 'vitest';
import { encodeTensor } from './encode-tensor.js';
import { type GgufMetadata, type GgufValue, metadataCount, metadataNumber } from './metadata.js';
import { readGguf, readTensor } from './read-gguf.js';
import { bytesSource } from './source.js';
import { writeGguf } from './write-gguf.js';

const everyType: GgufMetadata = new Map<string, GgufValue>([
  ['a.uint8', { type: 'uint8', value: 255 }],
  ['a.int8', { type: 'int8', value: -128 }],
  ['a.uint16', { type: 'uint16', value: 65_535 }],
  ['a.int16', { type: 'int16', value: -32_768 }],
  ['a.uint32', { type: 'uint32', value: 4_294_967_295 }],
  ['a.int32', { type: 'int32', value: -2_147_483_648 }],
  ['a.float32', { type: 'float32', value: 0.5 }],
  ['a.bool', { type: 'bool', value: true }],
  ['a.string', { type: 'string', value: '\ufeffÄ🙂\u0000' }],
  ['a.uint64', { type: 'uint64', value: 2n ** 64n - 1n }],
  ['a.int64', { type: 'int64', value: -(2n ** 63n) }],
  ['a.float64', { type: 'float64', value: Math.PI }],
  ['b.strings', { type: 'array', element: 'string', value: ['', 'x', '▁y'] }],
  ['b.floats', { type: 'array', element: 'float32', value: Float32Array.of(-1.5, 2) }],
  ['b.bools', { type: 'array', element: 'bool', value: Uint8Array.of(0, 1) }],
  ['b.longs', { type: 'array', element: 'int64', value: BigInt64Array.of(-1n) }],
  ['b.empty', { type: 'array', element: 'uint32', value: new Uint32Array(0) }],
  [
    'b.nested',
    {
      type: 'array',
      element: 'array',
      value: [{ type: 'array', element: 'int8', value: Int8Array.of(-1, 1) }],
    },
  ],
]);

const reals = Float32Array.from({ length: 64 }, (_, i) => Math.fround((i - 31.5) / 7));

const file = writeGguf({
  metadata: everyType,
  tensors: (['F32', 'F16', 'BF16', 'Q8_0'] as const).map((type) => ({
    name: `t.${type}`,
    dims: [32, 2],
    type,
    bytes: encodeTensor(type, reals),
  })),
});

describe('readGguf', () => {
  const read = readGguf(bytesSource(file));

  it('returns every metadata value as it was written', () => {
    expect(read.metadata).toEqual(everyType);
    expect(read.version).toBe(3);
  });

  it('aligns tensors and keeps their shapes', () => {
    expect([...read.tensors.keys()]).toEqual(['t.F32', 't.F16', 't.BF16', 't.Q8_0']);
    for (const tensor of read.tensors.values()) {
      expect(tensor.offset % 32).toBe(0);
      expect(tensor.dims).toEqual([32, 2]);
    }
  });

  it('honours another alignment', () => {
    const metadata = new Map<string, GgufValue>([
      ['general.alignment', { type: 'uint32', value: 4_096 }],
    ]);
    const bytes = encodeTensor('F32', Float32Array.of(7));
    const tensors = ['x', 'y'].map((name) => ({ name, dims: [1], type: 'F32', bytes }));
    const aligned = readGguf(bytesSource(writeGguf({ metadata, tensors })));
    expect([...aligned.tensors.values()].map(({ offset }) => offset)).toEqual([4_096, 8_192]);
  });

  it('reads version 2, whose layout is the same', () => {
    const old = file.slice();
    old[4] = 2;
    expect(readGguf(bytesSource(old)).version).toBe(2);
  });

  it('gives the same through a source that only reads on demand', () => {
    let bytesRead = 0;
    const source = {
      size: file.length,
      read(offset: number, length: number) {
        bytesRead += length;
        return file.slice(offset, offset + length);
      },
    };
    const onDemand = readGguf(source);
    expect(onDemand.metadata).toEqual(read.metadata);
    const tensor = onDemand.tensors.get('t.Q8_0')!;
    const before = bytesRead;
    readTensor(onDemand, tensor);
    expect(bytesRead - before).toBe(tensor.byteCount);
  });
});

describe('readTensor', () => {
  const read = readGguf(bytesSource(file));
  const values = (name: string) => readTensor(read, read.tensors.get(name)!);

  it('returns F32 exactly, F16 and BF16 to their precision', () => {
    for (const [type, relative] of [
      ['F32', 0],
      ['F16', 2 ** -11],
      ['BF16', 2 ** -8],
    ] as const) {
      const decoded = values(`t.${type}`);
      if (decoded.kind !== 'float') throw new Error('expected floats');
      decoded.values.forEach((value, i) => {
        const bound = Math.abs(reals[i]!) * relative;
        expect(Math.abs(value - reals[i]!)).toBeLessThanOrEqual(bound);
      });
    }
  });

  it('keeps Q8_0 blocks as quants and scale bits', () => {
    const decoded = values('t.Q8_0');
    if (decoded.kind !== 'q8') throw new Error('expected blocks');
    expect(decoded.scales.length).toBe(2);
    expect(decoded.quants[0]).toBe(-127);
    expect(decoded.quants[63]).toBe(127);
  });
});

describe('metadata accessors', () => {
  it('accept every integer width and refuse other types by code', () => {
    expect(metadataCount(everyType, 'a.uint8')).toBe(255);
    expect(metadataNumber(everyType, 'a.float64')).toBe(Math.PI);
    expect(metadataCount(everyType, 'absent')).toBeUndefined();
    for (const key of ['a.string', 'a.int8', 'a.uint64', 'b.strings', 'a.bool']) {
      expect(() => metadataCount(everyType, key)).toThrow(
        expect.objectContaining({ code: 'gguf_bad_metadata' }),
      );
    }
  });
});
