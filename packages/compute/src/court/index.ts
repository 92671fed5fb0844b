export * from './audit.js';
export * from './claim.js';
export * from './descent.js';
export * from './events.js';
export * from './forced-trace.js';
export * from './phase.js';
