import { afterEach, describe, expect, it, vi } from 'vitest';
import { keyHeader, parseApiKey, readApiKey, watchApiKey, writeApiKey } from './api-key.js';

/** As much of a tab's storage as is used. */
function storage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> & Map<string, string> {
  const kept = new Map<string, string>();
  return Object.assign(kept, {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  });
}

const refused = {
  getItem: () => {
    throw new Error('refused');
  },
  setItem: () => {
    throw new Error('refused');
  },
  removeItem: () => {
    throw new Error('refused');
  },
};

afterEach(() => {
  writeApiKey(null);
  vi.unstubAllGlobals();
});

describe('the key', () => {
  it('is kept in the storage of the tab, and forgotten', () => {
    const kept = storage();
    vi.stubGlobal('sessionStorage', kept);
    writeApiKey('secret');
    expect([...kept.values()]).toEqual(['secret']);
    expect(readApiKey()).toBe('secret');
    writeApiKey(null);
    expect(kept.size).toBe(0);
    expect(readApiKey()).toBeNull();
  });

  it('lives as long as the page where storage is refused', () => {
    vi.stubGlobal('sessionStorage', refused);
    writeApiKey('secret');
    expect(readApiKey()).toBe('secret');
  });

  it('tells who watches, until they no longer do', () => {
    vi.stubGlobal('sessionStorage', storage());
    const tell = vi.fn();
    const stop = watchApiKey(tell);
    writeApiKey('secret');
    expect(tell).toHaveBeenCalledTimes(1);
    stop();
    writeApiKey(null);
    expect(tell).toHaveBeenCalledTimes(1);
  });
});

describe('keyHeader', () => {
  it('carries the key, or nothing', () => {
    expect(keyHeader('secret')).toEqual({ authorization: 'Bearer secret' });
    expect(keyHeader(null)).toEqual({});
  });
});

describe('parseApiKey', () => {
  it('drops the spaces around a pasted key', () => {
    expect(parseApiKey('  sk-1_~\n')).toBe('sk-1_~');
  });

  it.each(['', ' ', 'two words', 'schlüssel', 'a\nb', 'a'.repeat(513)])('refuses %j', (text) => {
    expect(parseApiKey(text)).toBeUndefined();
  });
});
