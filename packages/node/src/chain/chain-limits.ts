/** Limits of the embedded chain: each with its unit in the name and its reason beside it. */

/** Address space of anvil, in KiB: it needs 0.4 GB, and a runaway one took 24 GB and the machine. */
export const ANVIL_MEMORY_KIB_MAX = 6_000_000;

/** anvil answers within 130 ms of its start on an idle machine; a loaded one may be 50 times slower. */
export const ANVIL_START_MS_MAX = 15_000;

/** Another process may take the free port between our look and anvil's bind. */
export const ANVIL_PORT_TRIES_MAX = 5;

/** A call that anvil does not answer in this time counts as hung; 300 M gas take about a second. */
export const ANVIL_CALL_MS_MAX = 30_000;

/** Dumping and loading 50,000 transactions takes 2 s; a large chain may need minutes. */
export const ANVIL_STATE_MS_MAX = 300_000;

/** Connections to anvil; it runs calls on the cores there are, so more only queue inside it. */
export const ANVIL_SOCKETS_MAX = 32;

/** One answer of anvil, in bytes; an `eth_getLogs` above this has to be asked in pages. */
export const ANSWER_BYTES_MAX = 64 * 2 ** 20;

/** How often a silent anvil is asked for a sign of life. */
export const HEALTH_INTERVAL_MS = 5_000;

/** Crashes within {@link CRASH_WINDOW_MS} after which restarting helps nobody. */
export const CRASHES_MAX = 5;
export const CRASH_WINDOW_MS = 60_000;

/** Pause before a restart, times the crashes so far: what starved the process may pass. */
export const RESTART_PAUSE_MS = 100;

/** Blocks take 300 M gas (about 5,000 token transfers); part of the chain's identity, see the journal. */
export const BLOCK_GAS_MAX = 300_000_000;

/** Time for transactions that arrive together to share a block. */
export const SEAL_DELAY_MS = 10;

/** Pause before a transaction that a block left behind is tried again, and the number of tries. */
export const SEAL_RETRY_MS = 1_000;
export const SEAL_RETRIES_MAX = 30;

/** Transactions held for blocks to come; above it senders are asked to wait. */
export const POOL_TRANSACTIONS_MAX = 20_000;

/** As in go-ethereum: the largest transaction that nodes relay. */
export const TRANSACTION_BYTES_MAX = 131_072;

/** Transactions or calls per request to anvil while replaying; keeps a body near 100 KB. */
export const REPLAY_BATCH_SIZE = 200;

/** Blocks read from the journal at once while replaying. */
export const JOURNAL_PAGE_BLOCKS = 500;

/** A tail of this many blocks and transactions replays in about a second; a snapshot holds up a block. */
export const SNAPSHOT_TAIL_MIN = 2_000;

/** A snapshot rewrites the whole history, so the tail before the next one grows with it. */
export const SNAPSHOT_TAIL_FRACTION = 0.25;

/** The newest snapshot and one to fall back to. */
export const SNAPSHOTS_KEPT = 2;

/** Ports tried from the wanted one upwards. */
export const PORT_TRIES_MAX = 50;

/** Body of a request in bytes: the largest contract is 100 KB of hexadecimal digits. */
export const BODY_BYTES_MAX = 2 * 2 ** 20;

/** Calls in one batch; viem sends 100 or fewer. */
export const BATCH_CALLS_MAX = 256;

/** Calls waiting for a connection to anvil; beyond it a client is told to come back. */
export const WAITING_CALLS_MAX = 4_096;

/** A client must have sent its request in this time, so that slow ones cannot hold every socket. */
export const REQUEST_MS_MAX = 30_000;

/** Calls wait this long for the chain to come back from a crash before they are refused. */
export const RECOVERY_WAIT_MS_MAX = 60_000;

/** Connections to the public endpoint. */
export const CONNECTIONS_MAX = 1_024;
