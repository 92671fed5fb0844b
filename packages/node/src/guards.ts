/** Who may talk to a listening role. On loopback: only pages that were loaded from it. Elsewhere: only with a key. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { AssayError } from '@assay/protocol';
import type { MiddlewareHandler } from 'hono';

/** Headers that a guard reads, by lower-case name, as Node has them. */
export type GuardedHeaders = {
  readonly host?: string | undefined;
  readonly authorization?: string | undefined;
};

/** Who is let in everywhere; whoever is not may still read the page's files, or learns why from the middleware. */
export type Admits = (headers: GuardedHeaders) => boolean;

export type Guard = { readonly admits: Admits; readonly middleware: MiddlewareHandler };

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

export const isLoopbackHost = (host: string): boolean => LOOPBACK.test(host) || host === '::1';

const isLoopbackRequest: Admits = ({ host = '' }) => LOOPBACK.test(host);

/**
 * Refuses requests whose Host is not a loopback name: a foreign page whose DNS name was rebound to 127.0.0.1 would
 * otherwise spend the owner's money.
 */
export const loopbackOnly: MiddlewareHandler = async (context, next) => {
  if (!isLoopbackRequest(context.req.header())) {
    return context.json(
      {
        error: {
          message: 'This address answers only to loopback names.',
          type: 'invalid_request_error',
          param: null,
          code: 'foreign_host',
        },
      },
      403,
    );
  }
  return next();
};

const KEY_WANTED =
  'The API key is missing or wrong. Clients send it as their API key, the command line takes it from ' +
  'ASSAY_API_KEY, and the page asks for it.';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Files of the page, which hold no secret; all else, and above all everything under /v1, is not among them. */
const PAGE_FILE = /^\/(assets\/[\w.-]+|[\w-]+\.(html|svg|png|ico))?$/;

const isPageFile = ({ method, path }: { method: string; path: string }): boolean =>
  (method === 'GET' || method === 'HEAD') && PAGE_FILE.test(path);

/** Compares in constant time. */
function hasKey(key: string): Admits {
  const expected = digest(key);
  return ({ authorization = '' }) =>
    timingSafeEqual(digest(authorization.replace(/^Bearer /i, '')), expected);
}

/** Refuses requests without `Authorization: Bearer KEY`, but for the page's files. */
export function requireApiKey(key: string): MiddlewareHandler {
  const admits = hasKey(key);
  return async (context, next) => {
    if (admits(context.req.header()) || isPageFile(context.req)) return next();
    context.header('www-authenticate', 'Bearer');
    return context.json(
      {
        error: {
          message: KEY_WANTED,
          type: 'invalid_request_error',
          param: null,
          code: 'invalid_api_key',
        },
      },
      401,
    );
  };
}

/** The guard for a listen address; refuses to open money to a network without a key. */
export function guardFor(host: string, apiKey: string | undefined): Guard {
  if (apiKey !== undefined) return { admits: hasKey(apiKey), middleware: requireApiKey(apiKey) };
  if (isLoopbackHost(host)) return { admits: isLoopbackRequest, middleware: loopbackOnly };
  throw new AssayError({
    code: 'api_key_required',
    fault: 'user',
    message: 'A role that spends money may not listen to a network without a key.',
    value: host,
    remedy: 'Set ASSAY_API_KEY, or listen on 127.0.0.1.',
  });
}
