/** What can go wrong with the index, one function per failure that a caller can act on. */
import { AssayError, printValue } from '@assay/protocol';

export const indexArgument = (name: string, value: unknown, rule: string): AssayError =>
  new AssayError({
    code: 'index_argument',
    message: `The index was asked with a ${name} that it cannot use.`,
    fault: 'user',
    value: printValue(value),
    remedy: `Give ${rule}.`,
  });

export const indexUnavailable = (where: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'index_unavailable',
    message: 'The index database cannot be opened.',
    fault: 'platform',
    value: where,
    remedy: 'Check that the folder is writable, or that PostgreSQL runs at the address given.',
    cause,
  });

export const indexCorrupt = (where: string, cause: unknown): AssayError =>
  new AssayError({
    code: 'index_corrupt',
    message: 'The index file is not a database that can be read.',
    fault: 'platform',
    value: where,
    remedy: 'Move the file away: the index is rebuilt from the chain and the receipts.',
    cause,
  });

export const indexSchemaVersion = (found: string, expected: string): AssayError =>
  new AssayError({
    code: 'index_schema_version',
    message: `The index was written by another version of Assay; this one writes ${expected}.`,
    fault: 'user',
    value: found,
    remedy: 'Move the database away, or use the version that wrote it.',
  });

export const indexWrongChain = (found: string, expected: string): AssayError =>
  new AssayError({
    code: 'index_wrong_chain',
    message: `The index was built from another chain, ${expected}.`,
    fault: 'user',
    value: found,
    remedy: 'Give each chain its own index, or allow this one to be rebuilt.',
  });

export const indexPageTooLarge = (block: number, cause: unknown): AssayError =>
  new AssayError({
    code: 'index_page_too_large',
    message: 'The logs of one contract in one block do not fit into one answer of the node.',
    fault: 'platform',
    value: `block ${block}`,
    remedy: 'Use a node with a higher limit for eth_getLogs.',
    cause,
  });

export const indexLogInvalid = (value: unknown, cause?: unknown): AssayError =>
  new AssayError({
    code: 'index_log_invalid',
    message: 'The node answered with a log that is malformed or was not asked for.',
    fault: 'peer',
    value: printValue(value),
    remedy: 'Use another node; the index keeps what it has and asks again.',
    cause,
  });

export const indexBehind = (cause: unknown): AssayError =>
  new AssayError({
    code: 'index_behind',
    message: 'The index did not reach the head of the chain in time.',
    fault: 'platform',
    remedy: 'Check that the chain answers, then ask again.',
    cause,
  });

export const indexStopped = (): AssayError =>
  new AssayError({
    code: 'index_stopped',
    message: 'The index no longer follows the chain.',
    fault: 'user',
    remedy: 'Follow the chain again.',
  });

export const receiptConflict = (jobId: string): AssayError =>
  new AssayError({
    code: 'receipt_conflict',
    message: 'There is already another receipt for this job; the first one stays.',
    fault: 'peer',
    value: jobId,
    remedy:
      'Keep both envelopes: two signed receipts for one job are evidence against the provider.',
  });

export const receiptUnknown = (jobId: string): AssayError =>
  new AssayError({
    code: 'receipt_unknown',
    message: 'There is no receipt for this job in the index.',
    fault: 'user',
    value: jobId,
    remedy: 'Check the receipt id, or ask the gateway that served the job.',
  });

export const indexHistoryMissing = (subject: string, block: number): AssayError =>
  new AssayError({
    code: 'index_history_missing',
    message: 'An event speaks of something whose first event the node did not show.',
    fault: 'platform',
    value: `${subject} at block ${block}`,
    remedy:
      'Follow from the block in which the contracts were deployed, on a node that keeps old logs.',
  });
