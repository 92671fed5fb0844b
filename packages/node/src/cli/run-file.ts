/** `run/network.json` in the data folder: where the running network is, written by `up` and read by every command. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { AssayError } from '@assay/protocol';
import { readJsonFile, roleFolder, writeJsonText } from '../home.js';

export type RunFile = {
  readonly gateway: string;
  readonly rpc: string;
  readonly chainId: number;
  readonly pid: number;
  readonly pids: Readonly<Record<string, number>>;
};

const pathOf = (home: string): string => join(roleFolder(home, 'run'), 'network.json');

export const writeRunFile = (home: string, file: RunFile): void =>
  writeJsonText(pathOf(home), `${JSON.stringify(file, null, 2)}\n`);

export const readRunFile = (home: string): RunFile | undefined =>
  readJsonFile(join(home, 'run', 'network.json')) as RunFile | undefined;

export const removeRunFile = (home: string): void => rmSync(pathOf(home), { force: true });

/** As {@link gatewayUrl}, undefined where none is known. */
export const knownGatewayUrl = (home: string, option?: string): string | undefined =>
  (option ?? process.env.ASSAY_GATEWAY ?? readRunFile(home)?.gateway)?.replace(/\/$/, '');

/** The gateway's address: `--gateway`, `ASSAY_GATEWAY`, else of the network that runs in this data folder. */
export function gatewayUrl(home: string, option?: string): string {
  const url = knownGatewayUrl(home, option);
  if (url === undefined) {
    throw new AssayError({
      code: 'network_not_running',
      fault: 'user',
      message: 'No network runs in this data folder.',
      value: home,
      remedy: 'Start it with `npm start` (or `assay up`), or name a gateway with --gateway URL.',
    });
  }
  return url;
}
