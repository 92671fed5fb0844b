/** `assay deploy`: the contracts on any EVM chain, their addresses in one file. */
import { type Address, AssayError, isHexOf } from '@assay/protocol';
import { privateKeyToAccount } from 'viem/accounts';
import { ensureDeployment } from '../chain-access.js';
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
  const { deployment, fresh } = await ensureDeployment(
    home,
    options.rpc,
    deployer(),
    token as Address | undefined,
  );
  const rows = Object.entries(deployment.addresses).map(([name, address]) => [name, address]);
  const title = fresh ? 'deployed' : 'already deployed';
  print(
    options,
    { fresh, ...deployment },
    `${title} on chain ${deployment.chainId}\n${table(rows)}`,
  );
}

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
