/** What commands print: text for people, one JSON document with `--json`, errors with code and remedy, exit codes. */
import { EngineError } from '@assay/engine';
import { AssayError, encodeJson } from '@assay/protocol';

/** 0 done, 1 refused by a rule, 2 wrong usage, 3 a peer or the platform failed. */
export const EXIT = { done: 0, refused: 1, usage: 2, failed: 3 } as const;

export type Output = { readonly json: boolean };

/** Prints a document with `--json`, else the text. */
export function print(output: Output, document: unknown, text: string): void {
  process.stdout.write(output.json ? `${encodeJson(document)}\n` : `${text}\n`);
}

/** Our errors, the engine's included: it has a class of its own, because it imports nothing. */
function isCoded(error: unknown): error is AssayError | EngineError {
  return error instanceof AssayError || error instanceof EngineError;
}

const exitCodeOf = (error: unknown): number =>
  isCoded(error) && error.fault === 'user' ? EXIT.refused : EXIT.failed;

function documentOf(error: unknown): ErrorDocument {
  if (error instanceof AssayError) return error.toJSON();
  if (!(error instanceof EngineError)) {
    return {
      code: 'internal_error',
      message: error instanceof Error ? error.message : String(error),
    };
  }
  const { code, message, value, remedy } = error;
  return {
    code,
    message,
    ...(value === undefined ? {} : { value: String(value) }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** Prints an error where the reader looks for it and sets the exit code. */
export function printError(output: Output, error: unknown): void {
  const document = documentOf(error);
  if (output.json) process.stdout.write(`${encodeJson({ error: document })}\n`);
  else process.stderr.write(`${errorText(document)}\n`);
  if (!isCoded(error) && process.env.ASSAY_LOG === 'debug')
    process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = exitCodeOf(error);
}

/** Ends the process with the exit code that was set, once all that was printed has left. */
export async function endProcess(): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  process.exit();
}

type ErrorDocument = { code: string; message: string; value?: string; remedy?: string };

const errorText = ({ code, message, value, remedy }: ErrorDocument): string =>
  [`${code}: ${message}`, value && `  value:  ${value}`, remedy && `  remedy: ${remedy}`]
    .filter(Boolean)
    .join('\n');

/** Rows as aligned columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
