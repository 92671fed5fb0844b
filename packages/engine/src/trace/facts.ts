/** The facts of a row: numbers of the trace table in big-endian bytes, and back. It knows no meanings. */
import type { RowLayout } from './layout.js';

/** One record: its numbers by name, then its sums. */
export type FactRecord = {
  readonly numbers: Readonly<Record<string, number>>;
  readonly sums: readonly bigint[];
};

/** Bytes of a facts leaf. */
export function encodeFacts(layout: RowLayout, { numbers, sums }: FactRecord): Uint8Array {
  const bytes = new Uint8Array(layout.recordBytes);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { name, bytes: size } of layout.rule.facts) {
    const value = numbers[name]!;
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value & 0xffff);
    else view.setUint32(at, value >>> 0);
    at += size;
  }
  for (const sum of sums) {
    view.setBigUint64(at, BigInt.asUintN(64, sum));
    at += 8;
  }
  return bytes;
}

/** The record of a facts leaf of the right length. */
export function decodeFacts(layout: RowLayout, bytes: Uint8Array): FactRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers: Record<string, number> = {};
  let at = 0;
  for (const { name, bytes: size, signed } of layout.rule.facts) {
    if (size === 1) numbers[name] = view.getUint8(at);
    else if (size === 2) numbers[name] = signed ? view.getInt16(at) : view.getUint16(at);
    else numbers[name] = signed ? view.getInt32(at) : view.getUint32(at);
    at += size;
  }
  const sums = Array.from({ length: layout.sumCount }, (_, i) => view.getBigUint64(at + 8 * i));
  return { numbers, sums };
}
