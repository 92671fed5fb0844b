/**
 * The cases of a verifier, one file each: what was found, what it sent to the court, and what came of it. The court's
 * events are the truth about money; this adds what only whoever recomputed the receipt knows.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeJson, type Hex, isHexOf } from '@assay/protocol';
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
  readonly write: (record: CaseRecord) => void;
  readonly read: (jobId: Hex) => unknown | undefined;
  /** The newest first. */
  readonly list: () => readonly unknown[];
};

/** Cases that are listed; a provider that cheats is out of money after its first. */
const LIST_MAX = 100;

export function openCaseBook(folder: string): CaseBook {
  mkdirSync(folder, { recursive: true });
  const pathOf = (jobId: Hex): string => join(folder, `${jobId}.json`);
  const read = (jobId: Hex): unknown | undefined => {
    if (!isHexOf(jobId, 32) || !existsSync(pathOf(jobId))) return undefined;
    return JSON.parse(readFileSync(pathOf(jobId), 'utf8'));
  };
  return {
    read,
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
