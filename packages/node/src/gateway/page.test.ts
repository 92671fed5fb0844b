import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { pageApp } from './page.js';

const folder = mkdtempSync(join(tmpdir(), 'assay-page-'));
mkdirSync(join(folder, 'assets'));
writeFileSync(join(folder, 'index.html'), '<!doctype html>');
writeFileSync(join(folder, 'assets', 'check.worker-1.js'), 'onmessage = () => {};');
afterAll(() => rmSync(folder, { recursive: true }));

describe('pageApp', () => {
  it.each(['/', '/index.html', '/assets/check.worker-1.js'])(
    'serves %s so that the page may share memory among threads, and nothing may frame it',
    async (path) => {
      const { status, headers } = await pageApp(folder).request(path);
      expect(status).toBe(200);
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    },
  );

  it('serves what was built and nothing else', async () => {
    const app = pageApp(folder);
    for (const path of ['/assets/other.js', '/../page.test.ts', '/assets/%2e%2e%2findex.html'])
      expect((await app.request(path)).status).toBe(404);
  });

  it('says how to build a page that is not there', async () => {
    const response = await pageApp(join(folder, 'nowhere')).request('/');
    expect(await response.text()).toContain('npm run build');
  });
});
