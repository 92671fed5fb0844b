/** The console, served as it was built. Paths come from the build, never from the request. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Hono } from 'hono';

const PAGE_FOLDER = fileURLToPath(new URL('../../../console/dist/page', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
};

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // Cross-origin isolation: the page may share memory among threads, so its checks use several.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};

type Asset = { readonly body: Uint8Array<ArrayBuffer>; readonly headers: Record<string, string> };

function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return new Map(
    files.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = `/${relative(folder, path).split('\\').join('/')}`;
      const hashed = name.startsWith('/assets/');
      return [
        name,
        {
          body: new Uint8Array(readFileSync(path)),
          headers: {
            ...SECURITY_HEADERS,
            'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
            'cache-control': hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
          },
        },
      ];
    }),
  );
}

/** Routes of the page; without a build, `/` says how to make one. */
export function pageApp(folder = PAGE_FOLDER): Hono {
  const app = new Hono();
  if (!existsSync(join(folder, 'index.html'))) {
    app.get('/', (context) => context.text('The page is not built. Run: npm run build\n'));
    return app;
  }
  const assets = readAssets(folder);
  for (const [name, asset] of assets)
    app.get(name, (context) => context.body(asset.body, 200, asset.headers));
  const index = assets.get('/index.html')!;
  app.get('/', (context) => context.body(index.body, 200, index.headers));
  return app;
}
