/** Bulk reading and writing of rows, one dialect for both databases; it knows no table in particular. */
import type { Kysely, Transaction } from 'kysely';
import type { Tables } from './schema.js';

export type Writer = Transaction<Tables>;
export type Reader = Kysely<Tables>;
export type Row = { readonly [column: string]: string | number };

/** Rows per statement: 200 rows of the widest table (15 columns) stay far below SQLite's 32,766 parameters. */
const ROWS_PER_STATEMENT = 200;

/** Rows whose `column` is one of `values`. */
export async function readRows<T extends keyof Tables>(
  db: Reader,
  from: { readonly table: T; readonly column: string; readonly values: readonly string[] },
): Promise<Tables[T][]> {
  const found: unknown[] = [];
  for (const some of chunks(from.values)) {
    const query = db.selectFrom(from.table as 'logs').selectAll();
    found.push(...(await query.where(from.column as 'subject', 'in', some).execute()));
  }
  return found as Tables[T][];
}

/** Deletes the rows whose `column` is one of `values`. */
export async function deleteRows(
  db: Writer,
  from: {
    readonly table: keyof Tables;
    readonly column: string;
    readonly values: readonly string[];
  },
): Promise<void> {
  for (const some of chunks(from.values))
    await db
      .deleteFrom(from.table as 'logs')
      .where(from.column as 'subject', 'in', some)
      .execute();
}

/** Inserts rows that must be new: the same row twice is an error, so that nothing is counted twice. */
export async function insertRows<T extends keyof Tables>(
  db: Writer,
  table: T,
  rows: readonly Tables[T][],
): Promise<void> {
  for (const some of chunks(rows))
    await db
      .insertInto(table)
      .values(some as never)
      .execute();
}

/** Inserts rows, replacing those with the same key. */
export async function upsertRows<T extends keyof Tables>(
  db: Writer,
  into: {
    readonly table: T;
    readonly keys: readonly string[];
    readonly rows: readonly Tables[T][];
  },
): Promise<void> {
  const keys = into.keys as 'subject'[];
  for (const some of chunks(into.rows)) {
    const columns = Object.keys(some[0] as Row).filter((name) => !into.keys.includes(name));
    await db
      .insertInto(into.table as 'logs')
      .values(some as never)
      .onConflict((conflict) =>
        conflict.columns(keys).doUpdateSet((row) => {
          const replaced = columns.map((name) => [name, row.ref(`excluded.${name as 'subject'}`)]);
          return Object.fromEntries(replaced);
        }),
      )
      .execute();
  }
}

/** `row` with each named column increased: numbers as counts, text as exact amounts. */
export function addAmounts<R extends object>(row: R, amounts: object, sign: 1 | -1): R {
  const sum = { ...row } as { [name: string]: unknown };
  for (const [name, amount] of Object.entries(amounts))
    sum[name] =
      typeof amount === 'number'
        ? (sum[name] as number) + sign * amount
        : (BigInt(sum[name] as string) + BigInt(sign) * BigInt(amount as string)).toString();
  return sum as R;
}

/** Makes writers of one kind wait for each other, also across processes; held to the end of the transaction. */
export async function lockRow(db: Writer, name: string): Promise<void> {
  await db
    .insertInto('meta')
    .values({ name: `lock:${name}`, value: '' })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: '' }))
    .execute();
}

function* chunks<T>(values: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < values.length; start += ROWS_PER_STATEMENT)
    yield values.slice(start, start + ROWS_PER_STATEMENT);
}
