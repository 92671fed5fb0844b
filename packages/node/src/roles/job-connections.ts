/**
 * The provider's end of connections over which jobs follow each other (`peers/job-connections.ts` is the other): a line
 * is a JobRequest, the lines that answer it are its events or one refusal, and the next job may follow. The connection
 * remembers one thing: for whom the last job on it ended well, because that requester is no stranger.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { admitJob, computeErrors, decodeJobRequest } from '@assay/compute';
import {
  type Address,
  AssayError,
  decodeJson,
  encodeJson,
  JOBS_UPGRADE,
  type JobRefused,
} from '@assay/protocol';
import { gatherOn } from '../gathered-writes.js';
import { httpStatus } from '../http-errors.js';
import { type LineReader, lineReader } from '../peers/lines.js';
import { assertRoom, JOB_BYTES_MAX, type JobStreamOptions, writeJob } from './job-stream.js';

/** Time that a connection may take for the whole of its next job. */
const NEXT_JOB_TIMEOUT_MS = 60_000;

/** Jobs that may wait on a connection behind the one that runs; more stay in the sender's hands. */
const WAITING_MAX = 1;

/** Answers an upgrade; whatever else is asked for is refused. */
export function acceptJobs(
  options: JobStreamOptions,
): (request: IncomingMessage, socket: Socket, head: Buffer) => void {
  return (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    // HTTP leaves its sockets half open; a reader that will say nothing more has left.
    socket.once('end', () => socket.destroy());
    if (request.url !== '/v1/jobs' || request.headers.upgrade !== JOBS_UPGRADE)
      return void socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    socket.setNoDelay(true);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${JOBS_UPGRADE}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    void serveJobs(options, socket);
  };
}

async function serveJobs(options: JobStreamOptions, socket: Socket): Promise<void> {
  const lines = lineReader(socket, { lengthMax: JOB_BYTES_MAX, waitingMax: WAITING_MAX });
  let known: Address | undefined;
  try {
    for (;;) {
      const line = await nextJob(lines, socket);
      if (line === undefined || socket.destroyed) break;
      known = await serveJob(options, { line, socket, known });
    }
  } catch (error) {
    options.log.debug({ error: String(error) }, 'connection for jobs was cut');
  }
  socket.destroy();
}

async function nextJob(lines: LineReader, socket: Socket): Promise<string | undefined> {
  const timer = setTimeout(() => socket.destroy(), NEXT_JOB_TIMEOUT_MS);
  try {
    return await lines.next();
  } finally {
    clearTimeout(timer);
  }
}

type Asked = {
  readonly line: string;
  readonly socket: Socket;
  readonly known: Address | undefined;
};

/** Serves one job; returns who asked for it if it ended with a receipt. */
async function serveJob(
  options: JobStreamOptions,
  { line, socket, known }: Asked,
): Promise<Address | undefined> {
  const { provider, log } = options;
  try {
    assertRoom(options);
    const request = decodeJobRequest(parseLine(line));
    const { requester } = request.job;
    const admitted = await admitJob(provider, request, { isKnown: requester === known });
    const reader = { stream: socket, lines: gatherOn(socket) };
    return (await writeJob(options, admitted, reader)) ? requester : undefined;
  } catch (error) {
    if (!(error instanceof AssayError))
      log.error({ error: String(error), stack: (error as Error).stack }, 'request failed');
    socket.write(`${encodeJson(refused(error))}\n`);
    return undefined;
  }
}

function parseLine(line: string): unknown {
  try {
    return decodeJson(line);
  } catch {
    throw computeErrors.malformedMessage('body', line.slice(0, SHOWN_LENGTH));
  }
}

/** Characters of a line that an error repeats. */
const SHOWN_LENGTH = 40;

const refused = (error: unknown): JobRefused =>
  error instanceof AssayError
    ? { type: 'refused', status: httpStatus(error), error: error.toJSON() }
    : {
        type: 'refused',
        status: 500,
        error: { code: 'internal_error', message: 'We made a mistake; it is in the log.' },
      };
