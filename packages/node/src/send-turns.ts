/**
 * Transactions of one account, one at a time from the look at its count to the node's answer. A role does several
 * things at once (claims, defends, audits, prosecutes); two that look at the same moment would take the same number,
 * and one of them would be refused. Nobody waits here for a block.
 */
import { type HttpTransport, http, type NonceManager } from 'viem';
import { getTransactionCount } from 'viem/actions';

/** Longest turn: a node that answers later than that has failed the transaction, or takes it out of order. */
const TURN_MAX_MS = 30_000;

export type SendTurns = {
  /** For the account: the next number, once it is this transaction's turn. */
  readonly nonceManager: NonceManager;
  /** For the wallet: ends the turn when the node has answered. */
  readonly transport: HttpTransport;
};

export function createSendTurns(rpcUrl: string): SendTurns {
  const turns = createTurns();
  const nonceManager: NonceManager = {
    async consume({ address, client }) {
      await turns.begin();
      return getTransactionCount(client, { address, blockTag: 'pending' });
    },
    get: ({ address, client }) => getTransactionCount(client, { address, blockTag: 'pending' }),
    increment: () => undefined,
    // Whatever goes wrong on the way: the wallet says so here, and the turn ends.
    reset: () => turns.end(),
  };
  const plain = http(rpcUrl);
  const transport: HttpTransport = (config) => {
    const opened = plain(config);
    const request = async (call: { readonly method: string }): Promise<unknown> => {
      const answer = await opened.request(call as never);
      if (call.method === 'eth_sendRawTransaction') turns.end();
      return answer;
    };
    return { ...opened, request: request as typeof opened.request };
  };
  return { nonceManager, transport };
}

function createTurns(): { readonly begin: () => Promise<void>; readonly end: () => void } {
  let last: Promise<void> = Promise.resolve();
  let finish = (): void => undefined;
  return {
    begin: async () => {
      const before = last;
      let mine = (): void => undefined;
      last = new Promise((resolve) => (mine = resolve));
      await before;
      finish = mine;
      setTimeout(mine, TURN_MAX_MS).unref();
    },
    end: () => finish(),
  };
}
