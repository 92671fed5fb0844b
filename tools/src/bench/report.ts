/** What a bench found: one row per case, ours beside the peer's. */

export type BenchRow = {
  readonly case: string;
  readonly ours: number;
  /** Null while there is nothing to compare with. */
  readonly peer: number | null;
  /** ours / peer. */
  readonly ratio: number | null;
  readonly unit: string;
};

export type BenchReport = { readonly name: string; readonly rows: readonly BenchRow[] };

/** A row from two measurements. */
export const row = (name: string, ours: number, peer: number | null, unit: string): BenchRow => ({
  case: name,
  ours: round(ours),
  peer: peer === null ? null : round(peer),
  ratio: peer === null || peer === 0 ? null : round(ours / peer),
  unit,
});

const round = (value: number): number => Number(value.toPrecision(4));

export function printReport(report: BenchReport, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const cells = report.rows.map((item) => [
    item.case,
    String(item.ours),
    String(item.peer ?? '—'),
    String(item.ratio ?? '—'),
    item.unit,
  ]);
  const rows = [['case', 'ours', 'peer', 'ratio', 'unit'], ...cells];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((line) => line[column]!.length)));
  const text = rows.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  process.stdout.write(`${report.name}\n${text.join('\n')}\n`);
}
