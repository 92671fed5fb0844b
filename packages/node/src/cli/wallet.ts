/** `assay wallet`: the address of each role in this data folder and what it owns on the chain. Reads, never spends. */
import { readChannel, readReceiver, readStake } from '@assay/compute';
import { type Address, AssayError, formatAmount, type Hex } from '@assay/protocol';
import { channelsAbi } from '@assay/protocol/abi';
import { formatEther } from 'viem';
import { type ChainAccess, connectRole, openChain, type ReadChain, resolveRpc } from '../chain-access.js';
import { listKeys, loadKey } from '../home.js';
import { type Output, print, table } from './output.js';

export type WalletOptions = Output & { readonly home: string; readonly rpc?: string };

/** Money of one address in atomic units; `coin` in wei. */
type Money = {
  readonly coin: bigint;
  /** Absent while the contracts of the chain are not known in this data folder. */
  readonly tokens?: bigint;
  readonly stake?: bigint;
  /** Earned by vouchers and claimed, over all time; `unsettled` is the part not paid out yet. */
  readonly earned?: bigint;
  readonly unsettled?: bigint;
  /** Own deposits in channels that nobody has claimed. */
  readonly inChannels?: bigint;
};

type Entry = { readonly role: string; readonly address: Address; readonly money: Money | null };

/** Prints the addresses alone if no chain is named or none answers. */
export async function wallet(options: WalletOptions): Promise<void> {
  const { home } = options;
  const rpc = knownRpc(home, options.rpc);
  const entries: Entry[] = [];
  let problem: AssayError | undefined;
  for (const role of listKeys(home)) {
    const { account } = loadKey(home, role);
    const money =
      rpc === undefined || problem !== undefined
        ? null
        : await readMoney(home, rpc, account).catch((error: unknown) => {
            problem = chainProblem(error);
            return null;
          });
    entries.push({ role, address: account.address, money });
  }
  const chain = { rpc: rpc ?? null, error: problem?.toJSON() ?? null };
  print(options, { chain, roles: entries }, walletText(entries, rpc, problem));
}
