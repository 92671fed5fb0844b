import { describe, expect, it } from 'vitest';
import {
  formatAge,
  formatCount,
  formatCounted,
  formatModel,
  formatPrice,
  formatSeconds,
  formatSize,
  parseAtomic,
  shortenHex,
  wholeSentences,
} from './format.js';

describe('formatCount', () => {
  it('groups thousands', () => expect(formatCount(1234567)).toBe('1,234,567'));
});

describe('formatCounted', () => {
  it('uses the singular for one only', () => {
    expect([0, 1, 2].map((count) => formatCounted(count, 'token'))).toEqual([
      '0 tokens',
      '1 token',
      '2 tokens',
    ]);
  });
});

describe('parseAtomic', () => {
  it('reads a decimal string beyond 2^53', () => {
    expect(parseAtomic('9007199254740993')).toBe(9007199254740993n);
  });
  it('refuses what is no whole number', () => {
    expect(['', '1.5', '0x10', 'ten', ' 1', '1e6', undefined].map(parseAtomic)).toEqual(
      Array(7).fill(null),
    );
  });
});

describe('formatPrice', () => {
  it('keeps every atomic unit', () => expect(formatPrice('21')).toBe('$0.000021'));
  it('drops zeros beyond cents', () => expect(formatPrice('1500000')).toBe('$1.50'));
  it('shows all six decimals below a cent', () => {
    expect(['30', '120', '1000', '1230000', '-30', '0'].map(formatPrice)).toEqual([
      '$0.000030',
      '$0.000120',
      '$0.001000',
      '$1.23',
      '-$0.000030',
      '$0.00',
    ]);
  });
  it('shows a dash instead of a wrong amount', () => expect(formatPrice('1.5')).toBe('—'));
});

describe('shortenHex', () => {
  it('keeps both ends', () => expect(shortenHex('0x1234567890abcdef')).toBe('0x1234…cdef'));
  it('leaves short values whole', () => expect(shortenHex('0x12345678')).toBe('0x12345678'));
});

describe('formatModel', () => {
  it('shows the name of an asset id', () => {
    expect(formatModel(`0x${'ab'.repeat(32)}/assay-small`)).toBe('assay-small');
  });
  it('shortens a bare hash', () => {
    expect(formatModel(`0x${'ab'.repeat(32)}`)).toBe('0xabab…abab');
  });
});

describe('formatSize', () => {
  it('picks the unit', () => {
    expect([0, 999, 1000, 8_400_000, 123_456_789, 5e13].map(formatSize)).toEqual([
      '0 B',
      '999 B',
      '1.0 KB',
      '8.4 MB',
      '123 MB',
      '50.0 TB',
    ]);
  });
});

describe('formatSeconds', () => {
  it('is exact where it matters', () => {
    expect([0.04, 9.9, 9.96, 59.6, 185].map(formatSeconds)).toEqual([
      '0.0 s',
      '9.9 s',
      '10 s',
      '1 min 0 s',
      '3 min 5 s',
    ]);
  });
});

describe('formatAge', () => {
  it('uses one unit', () => {
    const now = 1_000_000_000;
    const ages = [0, 4.9, 5, 59, 60, 3600, 86_400].map((s) => formatAge(now - s * 1000, now));
    expect(ages).toEqual(['now', 'now', '5 s', '59 s', '1 min', '1 h', '1 d']);
  });
  it('reads a clock that runs behind as now', () => expect(formatAge(2000, 1000)).toBe('now'));
});

describe('wholeSentences', () => {
  it('holds back the sentence that is still being written', () => {
    expect(wholeSentences('A receipt is signed. It can be')).toEqual(['A receipt is signed.']);
  });
  it('does not split decimals and keeps lines apart', () => {
    expect(wholeSentences('It costs $0.000021 now! \nFirst line\nnext')).toEqual([
      'It costs $0.000021 now!',
      'First line',
    ]);
  });
});
