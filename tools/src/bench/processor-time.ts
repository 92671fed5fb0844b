/**
 * Processor time of processes, all their threads: what a request costs, also on a machine that others keep busy, where
 * no clock says anything. Linux only, because only there can it be read of another process.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export const canReadProcessorTime = existsSync('/proc/self/schedstat');

/** Milliseconds that these processes have run so far. */
export const processorTimeMs = (pids: readonly number[]): number =>
  pids.flatMap(threadTimes).reduce((sum, time) => sum + time, 0);

const threadTimes = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds) / 1e6;
  });

/** Children of a process that were started with one of these words. */
export function childrenNamed(parent: number, words: readonly string[]): readonly number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
  return children
    .split(' ')
    .filter((text) => text !== '')
    .map(Number)
    .filter((pid) => {
      const given = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words.some((word) => given.includes(word));
    });
}
