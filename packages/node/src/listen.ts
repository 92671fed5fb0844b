/** Opens a port for a role: loopback unless told otherwise, and the next free port when the wanted one is taken. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AssayError } from '@assay/protocol';
import { getRequestListener } from '@hono/node-server';

/** Ports tried after the wanted one. */
const PORTS_TRIED_MAX = 50;

/** Time a client has to send its headers; slower ones hold sockets for nothing. */
const HEADERS_TIMEOUT_MS = 15_000;

/** Open sockets per role; far above the queue, far below the descriptor limit. */
const CONNECTIONS_MAX = 2_048;

export type Listening = {
  readonly url: string;
  readonly port: number;
  /** True if the wanted port was taken. */
  readonly moved: boolean;
  readonly close: () => Promise<void>;
};

/** Answers a request itself, or leaves it to the app by returning false. */
export type Shortcut = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

export type ListenOptions = {
  readonly app: { readonly fetch: Parameters<typeof getRequestListener>[0] };
  readonly host?: string;
  readonly port: number;
  /** Asked before the app. */
  readonly shortcut?: Shortcut;
  /** Takes over a connection whose client asks for another protocol; it is cut when the server closes. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
};

export async function listen(options: ListenOptions): Promise<Listening> {
  const { app, host = '127.0.0.1', port, shortcut, onUpgrade } = options;
  const answer = getRequestListener(app.fetch);
  const server = createServer((incoming, outgoing) => {
    if (shortcut?.(incoming, outgoing) !== true) void answer(incoming, outgoing);
  });
  const upgraded = new Set<Socket>();
  if (onUpgrade !== undefined)
    server.on('upgrade', (request, socket: Socket, head) => {
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      onUpgrade(request, socket, head);
    });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.maxConnections = CONNECTIONS_MAX;
  server.keepAliveTimeout = 60_000;
  const bound = await bindFrom(server, host, port);
  const shown = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${shown}:${bound}`,
    port: bound,
    moved: port !== 0 && bound !== port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of upgraded) socket.destroy();
      }),
  };
}

async function bindFrom(server: Server, host: string, wanted: number): Promise<number> {
  for (let port = wanted; port <= wanted + PORTS_TRIED_MAX; port++) {
    const bound = await bindOnce(server, host, port);
    if (bound !== undefined) return bound;
  }
  throw new AssayError({
    code: 'ports_occupied',
    fault: 'platform',
    message: `No free port in ${wanted} to ${wanted + PORTS_TRIED_MAX}.`,
    value: String(wanted),
    remedy: 'Choose another with --port.',
  });
}

function bindOnce(server: Server, host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    };
    server.once('error', onError);
    server.listen({ port, host, backlog: CONNECTIONS_MAX }, () => {
      server.off('error', onError);
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
