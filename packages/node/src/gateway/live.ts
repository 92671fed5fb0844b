/** Server-sent events of what happens on the network, for pages that watch. */
import { encodeJson } from '@assay/protocol';
import type { Context } from 'hono';

/** Watching pages per gateway; each holds a socket. */
const WATCHERS_MAX = 100;

/** Comment lines keep proxies from closing a silent stream. */
const KEEPALIVE_MS = 15_000;

export type LiveEvent = {
  readonly type: 'activity' | 'check' | 'block';
  readonly [field: string]: unknown;
};

export type Live = {
  readonly publish: (event: LiveEvent) => void;
  readonly handler: (context: Context) => Response;
  readonly close: () => void;
};

export function createLive(): Live {
  const watchers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  const encoder = new TextEncoder();
  const sendAll = (text: string): void => {
    const bytes = encoder.encode(text);
    for (const watcher of watchers) {
      try {
        // A reader that does not keep up is dropped: its page falls back to polling.
        if ((watcher.desiredSize ?? 0) < -64) throw new Error('slow');
        watcher.enqueue(bytes);
      } catch {
        watchers.delete(watcher);
      }
    }
  };
  const keepalive = setInterval(() => sendAll(': still here\n\n'), KEEPALIVE_MS);
  keepalive.unref();
  return {
    publish: (event) => {
      if (watchers.size > 0) sendAll(`data: ${encodeJson(event)}\n\n`);
    },
    handler: (context) => {
      if (watchers.size >= WATCHERS_MAX) return context.text('too many watchers', 503);
      let mine: ReadableStreamDefaultController<Uint8Array>;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          mine = controller;
          watchers.add(controller);
          controller.enqueue(encoder.encode(': welcome\n\n'));
        },
        cancel: () => void watchers.delete(mine),
      });
      return context.body(body, 200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
      });
    },
    close: () => {
      clearInterval(keepalive);
      for (const watcher of watchers) {
        try {
          watcher.close();
        } catch {
          // It is closed already.
        }
      }
      watchers.clear();
    },
  };
}
