/**
 * Pages of keys and values that several sessions read: a tree of blocks, each a page with the tokens of its positions,
 * below the block of the positions before. Two sessions with the same tokens so far share a page, because its bits
 * are a function of model and tokens alone; tokens are compared one by one, since a hash that somebody can make collide
 * would change an answer. Blocks that nobody reads are kept up to a budget and dropped least recently used first.
 */
import { EngineError } from '../engine-error.js';
import { PAGE_POSITIONS, type PagePool } from './pages.js';

/** A page that is never written again. */
export type Block = {
  readonly parent: Block | undefined;
  /** Tokens of its positions; fewer than a page has where a sequence ended. */
  readonly tokens: readonly number[];
  readonly page: number;
  readonly children: Set<Block>;
  /** Sessions that read it. */
  users: number;
};

export type PrefixCache = {
  /** Bytes of blocks that nobody reads at present. */
  idleBytes(): number;
  /** A page to write to; drops idle blocks when memory is exhausted. */
  takePage(): number;
  givePage(page: number): void;
  copyPage(from: number, to: number): void;
  /** The chain of blocks that holds the longest known prefix of `tokens`, and its length; each gets a user more. */
  find(tokens: readonly number[]): { readonly blocks: Block[]; readonly length: number };
  /** Hands a written page over; the block with its content, which may be an older one, gets a user more. */
  offer(parent: Block | undefined, tokens: readonly number[], page: number): Block;
  /** Takes a user away from a block. */
  release(block: Block): void;
};

export function createPrefixCache(
  pool: PagePool,
  options: { readonly pageBytes: number; readonly budgetBytes: number },
): PrefixCache {
  const roots = new Set<Block>();
  /** Blocks without users, in the order in which they lost the last one. */
  const idle = new Set<Block>();
  const childrenOf = (block: Block | undefined): Set<Block> => block?.children ?? roots;
  const hold = (block: Block): Block => {
    block.users++;
    idle.delete(block);
    return block;
  };
  const dropOldest = (): boolean => {
    for (const block of idle) {
      if (block.children.size > 0) continue;
      idle.delete(block);
      childrenOf(block.parent).delete(block);
      pool.give(block.page);
      return true;
    }
    return false;
  };
  const takePage = (): number => {
    for (;;) {
      try {
        return pool.take();
      } catch (error) {
        const full = error instanceof EngineError && error.code === 'memory_exhausted';
        if (!full || !dropOldest()) throw error;
      }
    }
  };
  return {
    takePage,
    idleBytes: () => idle.size * options.pageBytes,
    givePage: pool.give,
    copyPage: pool.copy,
    find(tokens) {
      const blocks: Block[] = [];
      let length = 0;
      for (;;) {
        const rest = tokens.slice(length, length + PAGE_POSITIONS);
        const { block, count } = closest(childrenOf(blocks.at(-1)), rest);
        if (block === undefined) return { blocks, length };
        blocks.push(hold(block));
        length += count;
        if (count < PAGE_POSITIONS) return { blocks, length };
      }
    },
    offer(parent, tokens, page) {
      const { block, count } = closest(childrenOf(parent), tokens);
      if (block !== undefined && count === tokens.length) {
        if (block.page !== page) pool.give(page);
        return hold(block);
      }
      const added: Block = { parent, tokens, page, children: new Set(), users: 1 };
      childrenOf(parent).add(added);
      return added;
    },
    release(block) {
      block.users--;
      if (block.users > 0) return;
      idle.add(block);
      while (idle.size * options.pageBytes > options.budgetBytes && dropOldest());
    },
  };
}

/** The block that begins most like `tokens`, and how many tokens they share. */
function closest(
  blocks: Iterable<Block>,
  tokens: readonly number[],
): { readonly block: Block | undefined; readonly count: number } {
  let best: { block: Block | undefined; count: number } = { block: undefined, count: 0 };
  for (const block of blocks) {
    const count = sharedCount(block.tokens, tokens);
    if (count > best.count) best = { block, count };
    if (count === tokens.length) break;
  }
  return best;
}

function sharedCount(a: readonly number[], b: readonly number[]): number {
  const limit = Math.min(a.length, b.length);
  let count = 0;
  while (count < limit && a[count] === b[count]) count++;
  return count;
}
