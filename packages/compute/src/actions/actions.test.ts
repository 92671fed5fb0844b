/** Every action against a real chain: anvil without automine, and a miner that seals a block when there is something. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  AssayError,
  type ChannelConfig,
  channelId,
  type Hex,
  hashLaneVoucher,
  merkleRoot,
  type SignedLaneVoucher,
  settlementDomain,
  toHex,
} from '@assay/protocol';
import { channelsAbi, modelRegistryAbi, offersAbi, receiptsAbi } from '@assay/protocol/abi';
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import {
  createTestClient,
  createWalletClient,
  http,
  keccak256,
  parseEventLogs,
  publicActions,
  toBytes,
  zeroAddress,
} from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { readContract } from 'viem/actions';
import { anvil as anvilChain } from 'viem/chains';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Addresses,
  authorizeDeposit,
  claimLanes,
  deployContracts,
  depositStake,
  finalizeWithdraw,
  initiateWithdraw,
  mintTestDollars,
  modelCommitmentId,
  offerId,
  openChannel,
  postEpochRoot,
  publishOffer,
  readChannel,
  readReceiver,
  readStake,
  refundChannel,
  registerModel,
  requestStakeWithdrawal,
  settle,
  topUpChannel,
  withdrawOffer,
  withdrawStake,
} from './index.js';
