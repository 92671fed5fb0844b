/** `assay deploy`: the contracts on any EVM chain, their addresses in one file. */
import { type Address, AssayError, isHexOf } from '@assay/protocol';
import { privateKeyToAccount } from 'viem/accounts';
import { ensureDeployment, openChain, type ReadChain } from '../chain-access.js';
import { openHome } from '../home.js';
import { type Output, print, table } from './output.js';

export type DeployOptions = Output & {
  readonly home: string;
  readonly rpc: string;
  readonly token?: string;
};

export async function deploy(options: DeployOptions): Promise<void> {
  const home = openHome(options.home);
  const token = options.token;
  if (token !== undefined && !isHexOf(token, 20)) throw badToken(token);
  const account = deployer();
  if (token !== undefined) await assertToken((await openChain(options.rpc, account)).read, token);
  const { deployment, fresh } = await ensureDeployment(
    home,
    options.rpc,
    account,
    token === undefined ? {} : { token },
  );
  const rows = Object.entries(deployment.addresses).map(([name, address]) => [name, address]);
  const title = fresh ? 'deployed' : 'already deployed';
  print(
    options,
    { fresh, ...deployment },
    `${title} on chain ${deployment.chainId}\n${table(rows)}`,
  );
}

/** Amounts are in millionths everywhere: prices, the display, the smallest stake. */
const TOKEN_DECIMALS = 6;

const DECIMALS = [
  {
    type: 'function',
    name: 'decimals',
    stateMutability: 'view',
    inputs: [],
    outputs: [{ name: '', type: 'uint8' }],
  },
] as const;

/** Throws `token_unfit` unless a contract with 6 decimals is there: a mistyped address would lock every deposit. */
export async function assertToken(read: ReadChain, token: Address): Promise<void> {
  if ((await read.getCode({ address: token })) === undefined)
    throw tokenUnfit('there is no contract at this address', token);
  const decimals = await read
    .readContract({ address: token, abi: DECIMALS, functionName: 'decimals' })
    .catch((cause: unknown) => {
      throw tokenUnfit('the contract does not say its decimals', token, cause);
    });
  if (decimals !== TOKEN_DECIMALS)
    throw tokenUnfit(`it has ${decimals} decimals, not ${TOKEN_DECIMALS}`, token);
}

const tokenUnfit = (reason: string, token: Address, cause?: unknown): AssayError =>
  new AssayError({
    code: 'token_unfit',
    fault: 'user',
    message: `This cannot be the payment token: ${reason}.`,
    value: token,
    remedy: 'Give the address of a token with 6 decimals on this very chain, for example USDC.',
    cause,
  });

/** The deployer's key comes from the environment only: an option would be in the shell's history. */
function deployer() {
  const key = process.env.ASSAY_DEPLOYER_KEY;
  if (key !== undefined && isHexOf(key, 32)) return privateKeyToAccount(key);
  throw new AssayError({
    code: 'deployer_key_missing',
    fault: 'user',
    message: 'No key to deploy with.',
    remedy:
      'Set ASSAY_DEPLOYER_KEY to the private key (0x and 64 digits) of an account with coin for gas.',
  });
}

const badToken = (value: string): AssayError =>
  new AssayError({
    code: 'invalid_value',
    fault: 'user',
    message: '--token must be an address.',
    value,
    remedy: 'Give 0x and 40 hexadecimal digits.',
  });
