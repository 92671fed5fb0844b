/**
 * The index: a searchable copy of the chain's events and of the receipts, in SQLite or PostgreSQL. It decides nothing;
 * it can be deleted and rebuilt, and gives the same rows again.
 */
export { type Audit, auditIndex, type Fingerprint, fingerprint } from './audit.js';
export {
  type AuditTotals,
  auditsOf,
  auditTotals,
  type ListedAudit,
  type ListedReport,
  listAudits,
  type SeatTotals,
  seatTotals,
} from './audit-queries.js';
export type { ChainClient } from './chain-reader.js';
export { type IndexLocation, type IndexStore, openIndexStore } from './database.js';
export {
  type ChainMove,
  type Follower,
  type FollowOptions,
  followChain,
  type IndexedContracts,
} from './follow.js';
export { type Checkpoint, type Cursor, type Followed, readCursor } from './ledger.js';
export { type BalanceComparison, compareBalances, type Money, money } from './money.js';
export { getPosting, type Posting } from './postings.js';
export {
  channelState,
  getModel,
  type ListedChannel,
  type ListedModel,
  type ListedOffer,
  type ListedProvider,
  listChannels,
  listModels,
  listOffers,
  listProviders,
  networkTotals,
  type OfferFilter,
  type Usage,
} from './queries.js';
export {
  type Activity,
  type ActivityFilter,
  addReceipt,
  addReceipts,
  getReceipt,
  type NewReceipt,
  type ReceiptCheck,
  recentActivity,
  type StoredReceipt,
  setCheck,
} from './receipts.js';
export * as indexTesting from './testing/index.js';
