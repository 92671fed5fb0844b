/**
 * A provider process that cheats: `node dishonest-provider.js HOME RPC FAULT POSITION PORT`. It is the real role with
 * its maker of tokens replaced; it signs what it sends and is paid until somebody re-computes.
 */
import { createLog, keepRole, startProvider } from '@assay/node';
import { type Fault, withFault } from './faults.js';

const [home, rpc, kind, position, port] = process.argv.slice(2) as [
  string,
  string,
  Fault['kind'],
  string,
  string,
];
const fault = (kind === 'none' ? { kind } : { kind, position: Number(position) }) as Fault;
const log = createLog('dishonest-provider');
const role = await startProvider(
  {
    home,
    rpc,
    host: '127.0.0.1',
    port: Number(port),
    inputPrice: 10_000,
    outputPrice: 20_000,
    stake: 1_000_000,
    queue: 64,
    threads: 1,
    claimSeconds: 2,
  },
  log,
  { wrap: (generate) => withFault(generate, fault) },
);
await keepRole(role, log);
