/** Limits and defaults of the protocol: each with its unit in the name and its reason beside it. */

/** Tokens between two signed stream heads, and so the most that either side can lose in a stream. */
export const STREAM_INCREMENT_TOKENS = 32;

/** Increments a provider computes ahead of payment: one in flight hides the round trip of its voucher. */
export const UNPAID_INCREMENTS_MAX = 2;

/** Parallel jobs over one deposit (see `LaneVoucher`); more than a provider queue holds. */
export const LANES_MAX = 64;

/** Prices are atomic units (1e-6 test dollar) per this many tokens, as the field quotes them. */
export const PRICE_TOKENS = 1_000_000n;

/** Decimals of the payment token (USDC and the test dollar). */
export const PAYMENT_DECIMALS = 6;

/** Shortest payer exit, as in x402 batch-settlement: 15 minutes. */
export const WITHDRAW_DELAY_MIN_SECONDS = 900;

/** Longest payer exit, as in x402 batch-settlement: 30 days. */
export const WITHDRAW_DELAY_MAX_SECONDS = 2_592_000;

/** A job must start within this time of being signed; replays are useless afterwards. */
export const JOB_LIFETIME_SECONDS = 300;

/** Clock difference between two honest machines that is still accepted. */
export const CLOCK_SKEW_MAX_SECONDS = 60;

/** Most tokens of prompt and answer together in one job, whatever the model's own context is. */
export const JOB_TOKENS_MAX = 131_072;

/** Stop ids per job; every decoding step compares against all of them. */
export const STOP_IDS_MAX = 64;

/** Assurance tiers of `docs/explanation` ; a receipt states which one was bought. */
export const TIER = { signed: 0, exact: 3 } as const;
export type Tier = (typeof TIER)[keyof typeof TIER];
