export * from './controls.js';
export * from './embedding.js';
export * from './logprobs.js';
