/**
 * What a verifier committed itself to, on disk before the chain hears of it: whoever is killed between commitment and
 * reveal finds here what it has to show, and loses nothing.
 */
import { join } from 'node:path';
import type { Finding } from '@assay/compute';
import type { Hex, ReceiptEnvelope } from '@assay/protocol';
import { type ChainAccess, ledgerName } from '../chain-access.js';
import { roleFolder } from '../home.js';
import { closeDatabase, openDatabase, recordTable } from '../stores/database.js';

/** A seat of an audit, as text that survives JSON. */
export type PlaceName = {
  readonly provider: Hex;
  readonly epoch: string;
  readonly index: string;
  readonly place: number;
};

export type AuditRecord = PlaceName & {
  readonly finding: Finding;
  readonly root: Hex;
  /** 32 random bytes of the commitment. */
  readonly salt: Hex;
  /** What was judged, with its proof in the epoch; absent if the tokens were withheld. */
  readonly given?: { readonly envelope: ReceiptEnvelope; readonly proof: readonly Hex[] };
};

export type AuditBook = {
  readonly get: (place: PlaceName) => AuditRecord | undefined;
  readonly put: (record: AuditRecord) => void;
  /** For what is over. */
  readonly remove: (place: PlaceName) => void;
  readonly all: () => readonly AuditRecord[];
  /** First block that still matters. */
  readonly readBlock: () => bigint | undefined;
  readonly writeBlock: (block: bigint) => void;
  readonly close: () => void;
};

const BLOCK_NOTE = 'first_block';

const keyOf = ({ provider, epoch, index, place }: PlaceName): string =>
  `${provider.toLowerCase()}:${epoch}:${index}:${place}`;

/** The book of the verifier in a data folder; each network has its own. */
export function openAuditBook(home: string, access: ChainAccess): AuditBook {
  const path = join(roleFolder(home, 'verifier'), ledgerName('audits', access.deployment));
  const database = openDatabase(path);
  const records = recordTable<AuditRecord>(database, 'reports');
  const notes = recordTable<string>(database, 'notes');
  return {
    get: (place) => records.get(keyOf(place)),
    put: (record) => records.put(keyOf(record), record),
    remove: (place) => records.remove(keyOf(place)),
    all: records.all,
    readBlock: () => {
      const text = notes.get(BLOCK_NOTE);
      return text === undefined ? undefined : BigInt(text);
    },
    writeBlock: (block) => notes.put(BLOCK_NOTE, String(block)),
    close: () => closeDatabase(database),
  };
}
