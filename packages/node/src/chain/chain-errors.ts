/** Every failure of a chain engine that a caller can act on, one constructor each. */
import { AssayError, printValue } from '@assay/protocol';

export function homeInUse(folder: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'home_in_use',
    message: 'Another process is running on this data folder.',
    fault: 'user',
    value: folder,
    remedy: 'Stop the other process, or choose another folder with --home.',
    cause,
  });
}

export function homeUnwritable(folder: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'home_unwritable',
    message: 'The data folder cannot be written.',
    fault: 'user',
    value: folder,
    remedy:
      'Give this user the right to write there, free disk space, or choose another with --home.',
    cause,
  });
}

export function homeVersion(found: unknown, wanted: number): AssayError {
  return new AssayError({
    code: 'home_version',
    message: `The data folder has another format than this program, which reads format ${wanted}.`,
    fault: 'user',
    value: printValue(found),
    remedy: 'Use the version of Assay that wrote it, or choose another folder with --home.',
  });
}

export function journalCorrupt(file: string, detail: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'chain_journal_corrupt',
    message: `The block journal cannot be read: ${detail}.`,
    fault: 'platform',
    value: file,
    remedy: 'Restore the chain folder from a backup, or move it away to begin a new local chain.',
    cause,
  });
}

export function journalUnwritable(file: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'chain_journal_unwritable',
    message: 'A block could not be written to the journal, so the chain stopped before showing it.',
    fault: 'platform',
    value: file,
    remedy: 'Free disk space or repair the disk, then start again; no visible block is lost.',
    cause,
  });
}

export function replayMismatch(value: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'chain_replay_mismatch',
    message:
      'Replaying the journal gave other blocks than the ones recorded, so the chain stays down.',
    fault: 'platform',
    value,
    remedy:
      'Start with the version of Assay that wrote this folder; otherwise move its chain folder ' +
      'away to begin a new local chain.',
    cause,
  });
}

export function anvilMissing(packageName: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'anvil_missing',
    message: 'The chain program for this machine is not installed.',
    fault: 'platform',
    value: packageName,
    remedy: 'Run npm install without --omit=optional, or use an outside chain with --rpc URL.',
    cause,
  });
}

export function anvilUnstartable(detail: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'anvil_unstartable',
    message: 'The chain program does not start.',
    fault: 'platform',
    value: printValue(detail),
    remedy: 'Run assay doctor, or use an outside chain with --rpc URL.',
    cause,
  });
}

export function chainCrashing(crashes: number, cause?: unknown): AssayError {
  return new AssayError({
    code: 'chain_keeps_crashing',
    message: 'The chain program crashed again and again and is not restarted any more.',
    fault: 'platform',
    value: `${crashes} crashes`,
    remedy: 'Look at the log for the cause (memory is the usual one), then start again.',
    cause,
  });
}

/** The chain process went away during a call; the call may be made again. */
export function chainGone(cause?: unknown): AssayError {
  return new AssayError({
    code: 'chain_gone',
    message: 'The chain program stopped during a call.',
    fault: 'platform',
    remedy: 'Try again; it is restarted by itself.',
    cause,
  });
}

export function chainTimeout(method: string): AssayError {
  return new AssayError({
    code: 'chain_timeout',
    message: 'The chain did not answer in time.',
    fault: 'platform',
    value: method,
    remedy: 'Try again, with a smaller range or less gas.',
  });
}

export function answerTooLarge(bytes: number): AssayError {
  return new AssayError({
    code: 'answer_too_large',
    message: 'The answer of the chain is too large.',
    fault: 'user',
    value: `${bytes} bytes`,
    remedy: 'Ask for fewer blocks at a time.',
  });
}

export function chainStopped(): AssayError {
  return new AssayError({
    code: 'chain_stopped',
    message: 'The chain is stopping or stopped.',
    fault: 'platform',
    remedy: 'Start it again.',
  });
}

export function chainUnreachable(rpcUrl: string, cause?: unknown): AssayError {
  return new AssayError({
    code: 'chain_unreachable',
    message: 'No chain answers at this address.',
    fault: 'user',
    value: redactUrl(rpcUrl),
    remedy: 'Check --rpc and the network connection.',
    cause,
  });
}

export function wrongChain(found: number, wanted: number): AssayError {
  return new AssayError({
    code: 'wrong_chain',
    message: `This is chain ${found}, and chain ${wanted} was expected.`,
    fault: 'user',
    value: String(found),
    remedy: 'Check --rpc, or deploy the contracts on this chain with assay deploy.',
  });
}

export function portsBusy(port: number): AssayError {
  return new AssayError({
    code: 'port_busy',
    message: 'This port and all that were tried after it are in use.',
    fault: 'user',
    value: String(port),
    remedy: 'Choose another port.',
  });
}

/** Provider URLs carry keys in path and query; only scheme and host may be shown. */
export function redactUrl(url: string): string {
  try {
    return new URL(url).origin;
  } catch {
    return printValue(url);
  }
}
