/**
 * A verifier that runs no model: `node lazy-verifier.js HOME RPC SEATS`. It is the real role with seats, but it says of
 * every receipt that it is right and invents the root of its trace, as one would do that wants the fee for nothing.
 */
import { randomBytes } from 'node:crypto';
import { createLog, keepRole, startVerifier } from '@assay/node';

const [home, rpc, seats] = process.argv.slice(2) as [string, string, string];

const log = createLog('lazy-verifier');
const role = await startVerifier(
  { home, rpc, host: '127.0.0.1', port: 0, threads: 1, prosecute: false, seats: Number(seats) },
  log,
  { judge: async () => ({ finding: 'right', root: `0x${randomBytes(32).toString('hex')}` }) },
);
await keepRole(role, log);
