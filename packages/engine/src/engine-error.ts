/**
 * The engine's one error class. It repeats the shape of the network's errors (code, message, fault, value, remedy)
 * because the engine imports nothing; other rooms pass it on unchanged.
 */

/** Whose mistake it was: `user` (input), `peer` (bytes from elsewhere), `platform` (this machine). */
export type EngineFault = 'user' | 'peer' | 'platform';

/** An expected failure that a caller can act on; `code` is stable, lower-case and snake_case. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: string;
  readonly fault: EngineFault;
  /** The offending value, printable and short. */
  readonly value: string | undefined;
  /** What the reader can do about it, one sentence. */
  readonly remedy: string | undefined;

  constructor(options: {
    readonly code: string;
    readonly message: string;
    readonly fault: EngineFault;
    readonly value?: string | number | bigint | undefined;
    readonly remedy?: string | undefined;
    readonly cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.fault = options.fault;
    this.value = options.value === undefined ? undefined : String(options.value);
    this.remedy = options.remedy;
  }
}

/** States what must hold if our own code is right; a failure is our bug. */
export function invariant(condition: boolean, statement: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${statement}`);
}
