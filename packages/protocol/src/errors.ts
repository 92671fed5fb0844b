/**
 * One error shape for the whole network: a stable code, one sentence, the offending value and what to do.
 *
 * `fault` says whose mistake it was, because callers act on that: a `user` mistake is shown, a `peer` mistake
 * moves the job elsewhere, a `platform` mistake is retried. Our own mistakes are assertions (see {@link assert}).
 */
export type Fault = 'user' | 'peer' | 'platform';

/** Options of {@link AssayError}. */
export type AssayErrorOptions = {
  /** Stable, lower-case, snake_case; never renamed once published. */
  readonly code: string;
  readonly message: string;
  readonly fault: Fault;
  /** The offending value, already printable and free of secrets. */
  readonly value?: string | undefined;
  /** What the reader can do about it, one sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
};

/** An expected failure that a caller can act on. */
export class AssayError extends Error {
  override readonly name = 'AssayError';
  readonly code: string;
  readonly fault: Fault;
  readonly value: string | undefined;
  readonly remedy: string | undefined;

  constructor(options: AssayErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.fault = options.fault;
    this.value = options.value;
    this.remedy = options.remedy;
  }

  /** The shape that goes over the wire and into `--json`. */
  toJSON(): { code: string; message: string; value?: string; remedy?: string } {
    return {
      code: this.code,
      message: this.message,
      ...(this.value === undefined ? {} : { value: this.value }),
      ...(this.remedy === undefined ? {} : { remedy: this.remedy }),
    };
  }
}

/** Longest offending value that an error repeats; more would flood logs and echo private text. */
export const ERROR_VALUE_LENGTH_MAX = 120;

/** Prints any value for {@link AssayErrorOptions.value}, shortened to {@link ERROR_VALUE_LENGTH_MAX}. */
export function printValue(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : (JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? v.toString() : v)) ??
        String(value));
  return text.length <= ERROR_VALUE_LENGTH_MAX
    ? text
    : `${text.slice(0, ERROR_VALUE_LENGTH_MAX - 1)}…`;
}

/** States what must hold if our own code is right; a failure is our bug and stops the process. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${invariant}`);
}
