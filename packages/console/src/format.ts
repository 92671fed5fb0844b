/** Numbers, amounts, hashes and times as people read them. Pure: the time is always a parameter. */
import { formatAmount } from '@assay/protocol';

const GROUPED = new Intl.NumberFormat('en');

export const formatCount = (count: number): string => GROUPED.format(count);

/** `1 token`, `1,204 tokens`. */
export const formatCounted = (count: number, noun: string): string =>
  `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;

/** Atomic units in a decimal string, as the gateway sends them; `null` for anything else. */
export const parseAtomic = (text: string | undefined): bigint | null =>
  text !== undefined && /^-?\d{1,39}$/.test(text) ? BigInt(text) : null;

/** Atomic units in a cent, below which an amount shows all six decimals, so that columns align. */
const CENT = 10_000n;

/** A decimal string of atomic units as test dollars; an em dash when it is no amount. */
export function formatPrice(text: string | undefined): string {
  const atomic = parseAtomic(text);
  if (atomic === null) return '—';
  const amount = formatAmount(atomic);
  const decimals = amount.length - amount.indexOf('.') - 1;
  return atomic % CENT === 0n ? amount : amount + '0'.repeat(6 - decimals);
}

/** `0x1234…cdef`; short values stay whole. */
export const shortenHex = (hex: string, head = 6, tail = 4): string =>
  hex.length <= head + tail + 1 ? hex : `${hex.slice(0, head)}…${hex.slice(-tail)}`;

/** Last path segment of an asset id such as `0x…/name`; a bare hash is shortened. */
export function formatModel(model: string): string {
  const name = model.slice(model.lastIndexOf('/') + 1);
  return /^0x[0-9a-f]{64}$/i.test(name) ? shortenHex(name) : name;
}

const SIZE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;

/** Decimal units, as disks and networks are sold. */
export function formatSize(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  const value = bytes / 1000 ** power;
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${SIZE_UNITS[power]}`;
}

/** `0.4 s`, `12 s`, `3 min 5 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** How long ago, in the one unit that matters; a clock that runs behind reads as now. */
export function formatAge(thenMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - thenMs) / 1000);
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** Local date and time to the second, for receipts. */
export const formatMoment = (ms: number): string =>
  new Date(ms).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** The sentences that are already whole, for a screen reader that follows a stream. */
export function wholeSentences(text: string): readonly string[] {
  const parts = text.split(/(?<=[.!?…])\s+|\n+/).slice(0, -1);
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}
