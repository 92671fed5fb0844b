/**
 * Connections to providers over which jobs follow each other, one at a time on each: opened by an HTTP upgrade and kept
 * for the next job. A request and an answer of HTTP cost more than signing and checking a receipt; here a job is a line
 * and its events are lines. Knows nothing of what the lines say.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { JOBS_UPGRADE } from '@assay/protocol';
import { peerUnreachable } from './http-client.js';
import { type LineReader, lineReader } from './lines.js';

/** Idle connections kept per provider; more than lanes per channel never helps. */
const IDLE_MAX = 64;

/** Time that a connection is kept idle: half of what a provider allows, so that it is never written to as it closes. */
const IDLE_TIMEOUT_MS = 30_000;

/** Time a provider has to answer the upgrade. */
const UPGRADE_TIMEOUT_MS = 30_000;

/** Silence in a job after which the provider counts as dead. */
const SILENCE_MS = 60_000;

/** How long a provider that knows no such connections, or a proxy before it, is not asked for one again. */
const PLAIN_MS = 60_000;

export type JobConnection = {
  /** Sends a line, which begins a job. */
  readonly send: (line: string) => void;
  readonly lines: LineReader;
  /** Keeps the connection if the job on it came to its end; else cuts it, which tells the provider. */
  readonly release: (isOver: boolean) => void;
};

type Peer = { readonly idle: JobConnection[]; plainUntilMs: number };

const peers = new Map<string, Peer>();

/** A connection for one job; undefined if the provider takes jobs as requests only. Throws `peer_unreachable`. */
export async function takeJobConnection(
  endpoint: string,
  lengthMax: number,
): Promise<JobConnection | undefined> {
  const peer = peers.get(endpoint) ?? { idle: [], plainUntilMs: 0 };
  peers.set(endpoint, peer);
  const known = peer.idle.pop();
  if (known !== undefined) return known;
  if (Date.now() < peer.plainUntilMs) return undefined;
  const socket = await dial(endpoint);
  if (socket === undefined) peer.plainUntilMs = Date.now() + PLAIN_MS;
  return socket && connectionOn(socket, peer, lengthMax);
}

function connectionOn(socket: Socket, peer: Peer, lengthMax: number): JobConnection {
  socket.setNoDelay(true);
  socket.on('timeout', () => socket.destroy(new Error('timed out')));
  const leave = (): void => {
    const at = peer.idle.indexOf(connection);
    if (at >= 0) peer.idle.splice(at, 1);
  };
  socket.once('end', leave).once('close', leave);
  const connection: JobConnection = {
    send: (line) => {
      socket.ref().setTimeout(SILENCE_MS);
      socket.write(`${line}\n`);
    },
    lines: lineReader(socket, { lengthMax }),
    release: (isOver) => {
      if (!isOver || socket.readyState !== 'open' || peer.idle.length >= IDLE_MAX)
        return void socket.destroy();
      socket.unref().setTimeout(IDLE_TIMEOUT_MS);
      peer.idle.push(connection);
    },
  };
  return connection;
}

/** Undefined if the other end answers, but not with an upgrade. */
function dial(endpoint: string): Promise<Socket | undefined> {
  const url = new URL(`${endpoint}/v1/jobs`);
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      agent: false,
      headers: { connection: 'Upgrade', upgrade: JOBS_UPGRADE },
    });
    const timer = setTimeout(
      () => outgoing.destroy(new Error('timed out')),
      UPGRADE_TIMEOUT_MS,
    ).unref();
    const stop = (): void => clearTimeout(timer);
    outgoing.once('upgrade', (answer: IncomingMessage, socket: Socket, head: Buffer) => {
      stop();
      if (answer.headers.upgrade !== JOBS_UPGRADE) {
        socket.destroy();
        return resolve(undefined);
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.once('response', (answer) => {
      stop();
      answer.resume();
      resolve(undefined);
    });
    outgoing.on('error', (cause) => {
      stop();
      reject(peerUnreachable(endpoint, cause));
    });
    outgoing.end();
  });
}
