/** Real surroundings for tests and benchmarks of the index: a chain with a history, and a PostgreSQL of one's own. */
export * from './temporary-postgres.js';
export * from './test-chain.js';
