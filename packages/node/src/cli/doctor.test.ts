import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isNodeSupported } from './doctor.js';

describe('isNodeSupported', () => {
  it.each(['20.19.0', '20.19.6', '20.20.0', '21.0.0', '22.1.0', '100.0.0'])(
    'takes %s',
    (version) => {
      expect(isNodeSupported(version)).toBe(true);
    },
  );

  it.each(['20.18.9', '20.9.0', '19.99.0', '18.20.4', '2.20.0'])('refuses %s', (version) => {
    expect(isNodeSupported(version)).toBe(false);
  });

  it('says what the manifest says', () => {
    const manifest = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
    expect((JSON.parse(manifest) as { engines: { node: string } }).engines.node).toBe('>=20.19');
  });
});
