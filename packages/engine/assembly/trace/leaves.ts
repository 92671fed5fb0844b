// Leaves, nodes and roots of the network's trees (merkle.ts), four at a time. Messages of one size wait for each other in
// a queue, so that lanes are full whatever comes between them. It knows bytes and sizes, not what they mean.
import {
  BLOCK, compress, expandSchedule, LANES, LANES_SIZE, loadBlocks, loadSchedules, SCHEDULE, setPrefix, startState,
  storeHashes,
} from './sha256';

/** Messages of one size and prefix that wait to be hashed. */
@unmanaged
class Queue {
  size: u32;
  prefix: u32;
  waiting: u32;
  /** Schedules of the last block by its only byte, 256 of 256 bytes; 0 if there are none. */
  schedules: usize;
  /** Where the messages lie, and where their hashes go. */
  source0: usize; source1: usize; source2: usize; source3: usize;
  target0: usize; target1: usize; target2: usize; target3: usize;
}

const QUEUE_SIZE: usize = 48;
/** Of the hasher's memory: the last bytes of each lane's message, padded, two blocks each. */
const TAIL: usize = LANES_SIZE;
/** How many queues of leaves there are, then the queues: nodes, seals, leaves by size. */
const COUNT: usize = TAIL + 512;
const QUEUES: usize = COUNT + 64;
/** More sizes than a position of a trace has. */
const QUEUES_MAX: u32 = 64;
/** Schedules for queues of nodes and of leaves of 64 elements. */
const TABLES: usize = QUEUES + <usize>QUEUES_MAX * QUEUE_SIZE;
const TABLE_SIZE: usize = 256 * 256;
const TABLE_COUNT: usize = 3;

const LEAF_PREFIX: u32 = 0;
const NODE_PREFIX: u32 = 1;
const ROOT_PREFIX: u32 = 2;
const HASH_SIZE: usize = 32;
/** Bytes of the count that a root holds before its top. */
const COUNT_SIZE: usize = 8;
const SEAL_SIZE: usize = COUNT_SIZE + HASH_SIZE;
/** Queues that are no leaves'. */
const OWN_QUEUES: u32 = 2;

/** Bytes of memory that a hasher needs. */
export function hasherSize(): usize {
  return TABLES + TABLE_COUNT * TABLE_SIZE;
}

// @ts-ignore: decorator
@inline
function queueAt(hasher: usize, index: u32): Queue {
  return changetype<Queue>(hasher + QUEUES + <usize>index * QUEUE_SIZE);
}

function openQueue(hasher: usize, index: u32, size: u32, prefix: u32, schedules: usize): void {
  const queue = queueAt(hasher, index);
  queue.size = size;
  queue.prefix = prefix;
  queue.waiting = 0;
  queue.schedules = schedules;
}

/** Queues of nodes and seals, and of the leaves that most leaves are. The constants must be there. */
export function startHasher(hasher: usize): void {
  const tables = hasher + TABLES;
  openQueue(hasher, 0, 64, NODE_PREFIX, fillSchedules(hasher, tables, 64));
  openQueue(hasher, 1, <u32>SEAL_SIZE, ROOT_PREFIX, 0);
  openQueue(hasher, 2, 128, LEAF_PREFIX, fillSchedules(hasher, tables + TABLE_SIZE, 128));
  openQueue(hasher, 3, 256, LEAF_PREFIX, fillSchedules(hasher, tables + 2 * TABLE_SIZE, 256));
  store<u32>(hasher + COUNT, 4);
}

/**
 * Schedules of the last block of messages of a prefix and `size` bytes, a multiple of 64: it holds the last byte alone,
 * so there are 256 of them, and a third of all blocks is such a one.
 */
function fillSchedules(hasher: usize, table: usize, size: u32): usize {
  const words = hasher + SCHEDULE;
  for (let byte: u32 = 0; byte < 256; byte += <u32>LANES) {
    for (let lane: u32 = 0; lane < <u32>LANES; lane++) {
      store<u32>(words + (lane << 2), ((byte + lane) << 24) | 0x80_0000);
    }
    for (let i: usize = 16; i < 240; i += 16) v128.store(words + i, i32x4.splat(0));
    v128.store(words, i32x4.splat((size + 1) << 3), 240);
    expandSchedule(hasher);
    for (let i: usize = 0; i < 256; i++) {
      const at = table + ((<usize>byte + (i & 3)) << 8) + ((i >> 2) << 2);
      store<u32>(at, load<u32>(words + (i << 2)));
    }
  }
  return table;
}

/** Hashes what waits; lanes without a message repeat the last. */
function flush(hasher: usize, queue: Queue): void {
  const waiting = queue.waiting;
  if (waiting == 0) return;
  queue.waiting = 0;
  const sources = changetype<usize>(queue) + offsetof<Queue>('source0');
  for (let lane = <usize>waiting; lane < LANES; lane++) {
    store<usize>(sources + (lane << 2), load<usize>(sources + ((<usize>waiting - 1) << 2)));
  }
  const size = <usize>queue.size;
  // The byte before a message stands for its prefix.
  const p0 = queue.source0 - 1;
  const p1 = queue.source1 - 1;
  const p2 = queue.source2 - 1;
  const p3 = queue.source3 - 1;
  startState(hasher);
  const whole = (size + 1) & ~(BLOCK - 1);
  for (let at: usize = 0; at < whole; at += BLOCK) {
    loadBlocks(hasher, p0 + at, p1 + at, p2 + at, p3 + at);
    if (at == 0) setPrefix(hasher, queue.prefix);
    expandSchedule(hasher);
    compress(hasher);
  }
  const table = queue.schedules;
  if (table != 0) {
    loadSchedules(
      hasher,
      table + (<usize>load<u8>(p0 + size) << 8), table + (<usize>load<u8>(p1 + size) << 8),
      table + (<usize>load<u8>(p2 + size) << 8), table + (<usize>load<u8>(p3 + size) << 8),
    );
    compress(hasher);
  } else {
    compressTail(hasher, queue, whole);
  }
  storeHashes(hasher, changetype<usize>(queue) + offsetof<Queue>('target0'), waiting);
}

/** The bytes of each lane from `from` on, with the padding: one block or two. */
function compressTail(hasher: usize, queue: Queue, from: usize): void {
  const size = <usize>queue.size + 1;
  const rest = size - from;
  const padded: usize = rest + 9 > BLOCK ? 2 * BLOCK : BLOCK;
  const tail = hasher + TAIL;
  memory.fill(tail, 0, 8 * BLOCK);
  for (let lane: usize = 0; lane < LANES; lane++) {
    const to = tail + lane * 2 * BLOCK;
    const source = load<usize>(changetype<usize>(queue) + offsetof<Queue>('source0') + (lane << 2));
    memory.copy(to, source - 1 + from, rest);
    store<u8>(to + rest, 0x80);
    store<u32>(to + padded - 4, bswap<u32>(<u32>size << 3));
  }
  for (let at: usize = 0; at < padded; at += BLOCK) {
    loadBlocks(hasher, tail + at, tail + at + 2 * BLOCK, tail + at + 4 * BLOCK, tail + at + 6 * BLOCK);
    if (from + at == 0) setPrefix(hasher, queue.prefix);
    expandSchedule(hasher);
    compress(hasher);
  }
}

// @ts-ignore: decorator
@inline
function enqueue(hasher: usize, queue: Queue, from: usize, to: usize): void {
  const at = changetype<usize>(queue) + (<usize>queue.waiting << 2);
  store<usize>(at, from, offsetof<Queue>('source0'));
  store<usize>(at, to, offsetof<Queue>('target0'));
  queue.waiting += 1;
  if (queue.waiting == <u32>LANES) flush(hasher, queue);
}

/** The queue of leaves of `size` bytes, which is opened if there is none. */
function leafQueue(hasher: usize, size: u32): Queue {
  const count = load<u32>(hasher + COUNT);
  for (let i = OWN_QUEUES; i < count; i++) {
    const queue = queueAt(hasher, i);
    if (queue.size == size) return queue;
  }
  // More sizes than places: the last place changes its size.
  const index = min(count, QUEUES_MAX - 1);
  if (index == count) store<u32>(hasher + COUNT, count + 1);
  else flush(hasher, queueAt(hasher, index));
  openQueue(hasher, index, size, LEAF_PREFIX, 0);
  return queueAt(hasher, index);
}

/** Leaves of `leafBytes` out of `size` bytes, the last may be shorter; returns where the next hash goes. */
export function hashLeaves(hasher: usize, from: usize, size: usize, leafBytes: usize, to: usize): usize {
  const end = from + size;
  const queue = leafQueue(hasher, <u32>min(size, leafBytes));
  for (; from + leafBytes <= end; from += leafBytes, to += HASH_SIZE) enqueue(hasher, queue, from, to);
  if (from == end) return to;
  enqueue(hasher, leafQueue(hasher, <u32>(end - from)), from, to);
  return to + HASH_SIZE;
}

/** Hashes every leaf that waits, and forgets sizes that come and go with the position. */
export function endLeaves(hasher: usize): void {
  const count = load<u32>(hasher + COUNT);
  for (let i = OWN_QUEUES; i < count; i++) flush(hasher, queueAt(hasher, i));
  store<u32>(hasher + COUNT, 4);
}

/**
 * Folds trees side by side; `trees`: where the nodes of each lie, and how many they are; they are overwritten. Root `i`
 * goes to `roots` + 32 i. `seals` is room for 40 bytes per tree.
 */
export function foldTrees(hasher: usize, trees: usize, treeCount: usize, seals: usize, roots: usize): void {
  let widest: usize = 0;
  const end = trees + (treeCount << 3);
  for (let tree = trees, seal = seals; tree < end; tree += 8, seal += SEAL_SIZE) {
    const width = load<usize>(tree, 4);
    store<u64>(seal, bswap<u64>(width));
    widest = max(widest, width);
  }
  for (; widest > 1; widest = (widest + 1) >> 1) foldLevel(hasher, trees, end);
  const queue = queueAt(hasher, 1);
  for (let tree = trees; tree < end; tree += 8, seals += SEAL_SIZE, roots += HASH_SIZE) {
    memory.copy(seals + COUNT_SIZE, load<usize>(tree), HASH_SIZE);
    enqueue(hasher, queue, seals, roots);
  }
  flush(hasher, queue);
}

/** One level up in every tree: an odd last node moves up alone, when nobody reads the place that it moves to. */
function foldLevel(hasher: usize, trees: usize, end: usize): void {
  const queue = queueAt(hasher, 0);
  for (let tree = trees; tree < end; tree += 8) {
    let to = load<usize>(tree);
    let from = to;
    for (const last = to + (load<usize>(tree, 4) >> 1) * HASH_SIZE; to < last; from += 2 * HASH_SIZE, to += HASH_SIZE) {
      enqueue(hasher, queue, from, to);
    }
  }
  flush(hasher, queue);
  for (let tree = trees; tree < end; tree += 8) {
    const width = load<usize>(tree, 4);
    const above = (width + 1) >> 1;
    if (width > 1 && (width & 1) == 1) {
      const nodes = load<usize>(tree);
      memory.copy(nodes + (above - 1) * HASH_SIZE, nodes + (width - 1) * HASH_SIZE, HASH_SIZE);
    }
    store<usize>(tree, above, 4);
  }
}
