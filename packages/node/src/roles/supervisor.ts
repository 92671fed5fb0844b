/**
 * Starts roles as child processes, waits until each is ready, restarts those that die (later each time), and ends all
 * of them when it ends itself. Children notice the end of this process by the closed IPC channel, even after `kill
 * -9`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AssayError } from '@assay/protocol';
import { EXIT } from '../cli/output.js';
import { roleFolder } from '../home.js';
import type { Logger } from '../log.js';
import type { ReadyLine } from './role-process.js';

/** First wait before a restart; doubled up to the maximum while the role keeps dying. */
const RESTART_DELAY_MS = 250;
const RESTART_DELAY_MAX_MS = 10_000;

/** A role that lived this long is healthy again: its next restart is quick. */
const HEALTHY_AFTER_MS = 30_000;

/** A role makes much short-lived garbage per request: a larger young space has it die there (measured: 10 % less CPU). */
const NODE_FLAGS = ['--max-semi-space-size=64'];

/** Time a role has to become ready: a large model file takes a while to open. */
const READY_TIMEOUT_MS = 120_000;

/** Time children have to stop in order. */
const STOP_TIMEOUT_MS = 6_000;

const CLI = fileURLToPath(new URL('../../bin/assay.mjs', import.meta.url));

export type RoleSpec = { readonly name: string; readonly args: readonly string[] };

export type Supervisor = {
  /** Starts a role and resolves with its ready line; throws `role_failed` if it dies before. */
  readonly start: (spec: RoleSpec) => Promise<ReadyLine>;
  readonly pids: () => Readonly<Record<string, number>>;
  readonly stop: () => Promise<void>;
};

type Child = {
  readonly spec: RoleSpec;
  process: ChildProcess;
  startedAtMs: number;
  delayMs: number;
};

export type SupervisorOptions = {
  readonly home: string;
  readonly log: Logger;
  readonly nowMs: () => number;
};

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const children = new Map<string, Child>();
  let stopping = false;

  function launch(spec: RoleSpec): ChildProcess {
    const logFile = openSync(join(roleFolder(options.home, 'logs'), `${spec.name}.log`), 'a');
    const child = spawn(process.execPath, [...NODE_FLAGS, CLI, ...spec.args], {
      stdio: ['ignore', 'pipe', logFile, 'ipc'],
      env: process.env,
    });
    closeSync(logFile);
    return child;
  }

  function watch(child: Child): void {
    child.process.once('exit', (code, signal) => {
      if (stopping) return;
      const lived = options.nowMs() - child.startedAtMs;
      child.delayMs =
        lived > HEALTHY_AFTER_MS
          ? RESTART_DELAY_MS
          : Math.min(child.delayMs * 2, RESTART_DELAY_MAX_MS);
      options.log.warn(
        { role: child.spec.name, code, signal, delayMs: child.delayMs },
        'role ended, starting it again',
      );
      setTimeout(() => restart(child), child.delayMs);
    });
  }

  function restart(child: Child): void {
    if (stopping) return;
    child.process = launch(child.spec);
    child.startedAtMs = options.nowMs();
    watch(child);
    child.process.stdout?.resume();
  }

  async function start(spec: RoleSpec): Promise<ReadyLine> {
    const child: Child = {
      spec,
      process: launch(spec),
      startedAtMs: options.nowMs(),
      delayMs: RESTART_DELAY_MS,
    };
    children.set(spec.name, child);
    const ready = await readReady(child.process, spec, options.home);
    watch(child);
    return ready;
  }

  async function stop(): Promise<void> {
    stopping = true;
    // Last started, first stopped: the chain goes last, so that the others can still settle.
    for (const child of [...children.values()].reverse()) await stopChild(child.process);
  }

  return {
    start,
    stop,
    pids: () =>
      Object.fromEntries([...children].map(([name, child]) => [name, child.process.pid ?? 0])),
  };
}

function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.once('exit', () => {
      clearTimeout(force);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function readReady(child: ChildProcess, spec: RoleSpec, home: string): Promise<ReadyLine> {
  const log = join(home, 'logs', `${spec.name}.log`);
  return new Promise((resolve, reject) => {
    const fail = (value: string, error?: Refusal): void => {
      clearTimeout(timer);
      reject(roleFailed(spec.name, value, log, error));
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`not ready after ${READY_TIMEOUT_MS / 1000} s`);
    }, READY_TIMEOUT_MS);
    let refusal: RefusalDocument | undefined;
    child.once('exit', (code, signal) => {
      // The child's exit code says whose fault its error was; without an error of ours it says nothing.
      const fault = code === EXIT.refused ? 'user' : 'platform';
      fail(`ended with ${signal ?? code}`, refusal && { ...refusal, fault });
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const message = parseLine(line);
      if (message?.error) refusal = message.error;
      if (message?.ready === undefined) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      resolve(message as ReadyLine);
    });
  });
}

type RefusalDocument = ReturnType<AssayError['toJSON']>;

/** Why a role did not start, in its own words. */
type Refusal = RefusalDocument & { readonly fault: 'user' | 'platform' };

type RoleLine = { ready?: string; error?: RefusalDocument };

function parseLine(line: string): RoleLine | undefined {
  try {
    return JSON.parse(line) as RoleLine;
  } catch {
    return undefined;
  }
}

const roleFailed = (name: string, value: string, log: string, refusal?: Refusal): AssayError =>
  new AssayError({
    code: refusal?.code ?? 'role_failed',
    fault: refusal?.fault ?? 'platform',
    message: refusal?.message ?? `The ${name} did not start.`,
    value: refusal?.value ?? value,
    remedy: refusal?.remedy ?? `Read ${log}, or run \`assay doctor\`.`,
  });
