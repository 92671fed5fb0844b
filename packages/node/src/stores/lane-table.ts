/**
 * The lanes of channels with the last voucher of each, as both sides keep them: written through to SQLite, read from
 * memory. Every job asks for its lane, its voucher and the sum over its channel; the disk would be asked five times for
 * what this process wrote itself. Knows no rule about money: see `lane.ts` of compute.
 */
import type { Lane } from '@assay/compute';
import { decodeJson, encodeJson, type Hex, type SignedLaneVoucher } from '@assay/protocol';
import { type Sqlite, transactionsOf } from './database.js';

/** Channels in memory; the one used longest ago makes room and is read again when it is wanted. */
const CHANNELS_MAX = 1_024;

export type LaneTable = {
  readonly load: (channelId: Hex, lane: number) => Lane | undefined;
  readonly voucher: (channelId: Hex, lane: number) => SignedLaneVoucher | undefined;
  /** Sum over the lanes of what is paid or owed, whichever is more. */
  readonly committed: (channelId: Hex) => bigint;
  /** Stores the lane, and the voucher if there is a new one. Call it inside {@link LaneTable.commit}. */
  readonly put: (lane: Lane, voucher?: SignedLaneVoucher) => void;
  /** Runs `write` in one transaction; what it put counts only once that is committed. */
  readonly commit: (write: () => void) => void;
  readonly vouchers: () => readonly SignedLaneVoucher[];
};

type Entry = { readonly lane: Lane; readonly voucher: SignedLaneVoucher | undefined };

type Channel = {
  readonly entries: Map<number, Entry>;
  committed: bigint;
};

/** `owed` and `paid` are amounts that JSON readers cannot tell from text, so lanes are stored as text fields. */
type EntryRecord = {
  readonly lane: Omit<Lane, 'paid' | 'owed'> & { readonly paid: string; readonly owed: string };
  readonly voucher?: SignedLaneVoucher;
};

const toText = ({ lane, voucher }: Entry): string =>
  encodeJson({
    lane: { ...lane, paid: lane.paid.toString(), owed: lane.owed.toString() },
    ...(voucher === undefined ? {} : { voucher }),
  });

function fromText(text: string): Entry {
  const { lane, voucher } = decodeJson(text) as EntryRecord;
  return { lane: { ...lane, paid: BigInt(lane.paid), owed: BigInt(lane.owed) }, voucher };
}

const spent = ({ paid, owed }: Lane): bigint => (paid > owed ? paid : owed);

export function laneTable(database: Sqlite): LaneTable {
  database.exec(
    `CREATE TABLE IF NOT EXISTS channel_lanes (
       channel TEXT NOT NULL, lane INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (channel, lane)
     ) WITHOUT ROWID`,
  );
  const readAll = database.prepare('SELECT value FROM channel_lanes ORDER BY channel, lane');
  const readChannel = database.prepare('SELECT value FROM channel_lanes WHERE channel = ?');
  const write = database.prepare(
    `INSERT INTO channel_lanes (channel, lane, value) VALUES (?, ?, ?)
     ON CONFLICT (channel, lane) DO UPDATE SET value = excluded.value`,
  );
  const entriesOf = (rows: unknown[]): Entry[] =>
    (rows as { readonly value: string }[]).map(({ value }) => fromText(value));
  const channels = new Map<Hex, Channel>();
  const inTransaction = transactionsOf(database);
  let pending: Entry[] = [];

  function open(channelId: Hex): Channel {
    const entries = entriesOf(readChannel.all(channelId));
    return {
      entries: new Map(entries.map((entry) => [entry.lane.lane, entry])),
      committed: entries.reduce((sum, { lane }) => sum + spent(lane), 0n),
    };
  }

  function channelOf(channelId: Hex): Channel {
    const channel = channels.get(channelId) ?? open(channelId);
    channels.delete(channelId);
    channels.set(channelId, channel);
    const [oldest] = channels.keys();
    if (channels.size > CHANNELS_MAX) channels.delete(oldest!);
    return channel;
  }

  function remember(entry: Entry): void {
    const channel = channelOf(entry.lane.channelId);
    const before = channel.entries.get(entry.lane.lane);
    channel.committed += spent(entry.lane) - (before === undefined ? 0n : spent(before.lane));
    channel.entries.set(entry.lane.lane, entry);
  }

  return {
    load: (channelId, lane) => channelOf(channelId).entries.get(lane)?.lane,
    voucher: (channelId, lane) => channelOf(channelId).entries.get(lane)?.voucher,
    committed: (channelId) => channelOf(channelId).committed,
    put: (lane, voucher) => {
      const known = channelOf(lane.channelId).entries.get(lane.lane);
      const entry = { lane, voucher: voucher ?? known?.voucher };
      write.run(lane.channelId, lane.lane, toText(entry));
      pending.push(entry);
    },
    commit: (change) => {
      pending = [];
      inTransaction(change);
      // Opened before the commit, a channel holds what was before; opened after it, what is: both end the same.
      for (const entry of pending) remember(entry);
      pending = [];
    },
    vouchers: () =>
      entriesOf(readAll.all()).flatMap(({ voucher }) => (voucher === undefined ? [] : [voucher])),
  };
}
