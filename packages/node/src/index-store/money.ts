/**
 * Where the money is: for each contract and token, what came in, what went out and what must still be there. The index
 * adds up events; `compareBalances` asks the tokens themselves.
 */
import type { Address } from '@assay/protocol';
import { decodeFunctionResult, encodeFunctionData, erc20Abi, getAddress, type Hex } from 'viem';
import type { ChainClient } from './chain-reader.js';
import type { IndexStore } from './database.js';
import { type Cursor, readCursor } from './ledger.js';
import type { MoneyRow } from './schema.js';
import { channelsPot, STAKE_POT } from './sums.js';

/** Money of one token in one contract, in atomic units. */
export type Money = {
  readonly contract: 'channels' | 'stake';
  readonly address: Address;
  readonly token: Address;
  readonly deposited: bigint;
  /** Earned by receivers, and the part of it that they were paid. */
  readonly claimed: bigint;
  readonly settled: bigint;
  /** Given back to payers: at once by the receiver, or after the delay. */
  readonly refunded: bigint;
  readonly withdrawn: bigint;
  readonly slashed: bigint;
  /** Fees of audits, from stake. */
  readonly charged: bigint;
  /** What the contract must hold: earned and not yet paid, plus what nobody claimed. */
  readonly unsettled: bigint;
  readonly unclaimed: bigint;
  readonly held: bigint;
  /** deposited = settled + refunded + withdrawn + slashed + charged + held, and no part is negative. */
  readonly balanced: boolean;
};

/** Money per contract and token, the payment token first. */
export async function money(store: IndexStore): Promise<Money[]> {
  const cursor = await readCursor(store);
  if (cursor === undefined) return [];
  const rows = await store.db.selectFrom('money').selectAll().orderBy('pot').execute();
  const first = channelsPot(cursor.followed.token);
  rows.sort((a, b) => Number(b.pot === first) - Number(a.pot === first));
  return rows.map((row) => moneyOf(row, cursor));
}

function moneyOf(row: MoneyRow, { followed }: Cursor): Money {
  const contract = row.pot === STAKE_POT ? 'stake' : 'channels';
  const token = contract === 'stake' ? followed.token : row.pot.slice(channelsPot('').length);
  const amounts = {
    deposited: BigInt(row.deposited),
    claimed: BigInt(row.claimed),
    settled: BigInt(row.settled),
    refunded: BigInt(row.refunded),
    withdrawn: BigInt(row.withdrawn),
    slashed: BigInt(row.slashed),
    charged: BigInt(row.charged),
  };
  const { deposited, claimed, settled, refunded, withdrawn, slashed, charged } = amounts;
  const unsettled = claimed - settled;
  const unclaimed = deposited - refunded - withdrawn - slashed - charged - claimed;
  const held = unsettled + unclaimed;
  const parts = [...Object.values(amounts), unsettled, unclaimed];
  return {
    contract,
    address: getAddress(followed.contracts[contract]),
    token: getAddress(token),
    ...amounts,
    unsettled,
    unclaimed,
    held,
    balanced:
      deposited === settled + refunded + withdrawn + slashed + charged + held &&
      parts.every((part) => part >= 0n),
  };
}

export type BalanceComparison = Money & {
  /** What the token says that the contract has. */
  readonly balance: bigint;
  /** Above what the index expects; anyone may send tokens to a contract, so only less than zero is wrong. */
  readonly surplus: bigint;
};

/** Compares with the tokens' own books, which are read at the newest block: let the index catch up first. */
export async function compareBalances(
  store: IndexStore,
  client: ChainClient,
): Promise<BalanceComparison[]> {
  const expected = await money(store);
  return Promise.all(
    expected.map(async (one) => {
      const balance = await readBalance(client, { token: one.token, holder: one.address });
      return { ...one, balance, surplus: balance - one.held };
    }),
  );
}

async function readBalance(
  client: ChainClient,
  of: { readonly token: Address; readonly holder: Address },
): Promise<bigint> {
  const call = { abi: erc20Abi, functionName: 'balanceOf' } as const;
  const data = encodeFunctionData({ ...call, args: [of.holder] });
  const answer = await client.request({
    method: 'eth_call',
    params: [{ to: of.token, data }, 'latest'],
  });
  return decodeFunctionResult({ ...call, data: answer as Hex });
}
