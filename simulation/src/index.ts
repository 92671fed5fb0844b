export * from './faults.js';
export * from './network.js';
