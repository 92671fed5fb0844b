/**
 * The cases of a verifier, one file each: what was found, what it sent to the court, and what came of it. The court's
 * events are the truth about money; this adds what only whoever recomputed the receipt knows.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AssayError, encodeJson, type Hex, isHexOf } from '@assay/protocol';
import { lockHome } from '../chain/index.js';
import { writeJsonText } from '../home.js';
import type { CaseStep } from './prosecutor.js';
import type { Finding } from './trace-messages.js';

export type CaseRecord = {
  readonly jobId: Hex;
  readonly provider: Hex;
  readonly modelId: Hex;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly state: 'open' | 'right' | 'convicted' | 'dismissed' | 'failed';
  readonly finding?: Finding;
  readonly steps: readonly CaseStep[];
  /** Atomic units, once the verdict is paid. */
  readonly money?: {
    readonly taken: bigint;
    readonly refund: bigint;
    readonly bounty: bigint;
    readonly kept: bigint;
  };
};

export type CaseBook = {
  /**
   * Takes a case for this process alone until the returned function is called, or the process ends; throws
   * `case_under_way`. A verifier and a person who bring one receipt to court at once would pay for it twice, and the
   * record of the slower would hide that of the other.
   */
  readonly claim: (jobId: Hex) => () => void;
  readonly write: (record: CaseRecord) => void;
  readonly read: (jobId: Hex) => unknown | undefined;
  /** The newest first. */
  readonly list: () => readonly unknown[];
};

/** Cases that are listed; a provider that cheats is out of money after its first. */
const LIST_MAX = 100;

/** Folder of locks: an open transaction each, which the system ends with its process. */
const LOCKS = 'locks';

export function openCaseBook(folder: string): CaseBook {
  mkdirSync(folder, { recursive: true });
  const pathOf = (jobId: Hex): string => join(folder, `${jobId}.json`);
  const read = (jobId: Hex): unknown | undefined => {
    if (!isHexOf(jobId, 32) || !existsSync(pathOf(jobId))) return undefined;
    return JSON.parse(readFileSync(pathOf(jobId), 'utf8'));
  };
  return {
    read,
    claim: (jobId) => {
      try {
        return lockHome(join(folder, LOCKS, jobId)).release;
      } catch (cause) {
        throw (cause as { code?: unknown }).code === 'home_in_use' ? underWay(jobId, cause) : cause;
      }
    },
    write: (record) => {
      // A proof is thousands of bytes, and it stands on chain.
      const { finding, ...rest } = record;
      const told = finding === undefined ? {} : { finding: { ...finding, data: '0x' } };
      writeJsonText(pathOf(record.jobId), encodeJson({ ...rest, ...told }));
    },
    list: () => {
      const records = readdirSync(folder)
        .filter((name) => name.endsWith('.json'))
        .map((name) => read(name.slice(0, -'.json'.length) as Hex) as CaseRecord);
      return records.sort((a, b) => Number(b.startedAt) - Number(a.startedAt)).slice(0, LIST_MAX);
    },
  };
}

const underWay = (jobId: Hex, cause: unknown): AssayError =>
  new AssayError({
    code: 'case_under_way',
    fault: 'user',
    message: 'Another process of this data folder brings this receipt to court just now.',
    value: jobId,
    remedy: 'Follow it with `assay dispute show ID`.',
    cause,
  });
