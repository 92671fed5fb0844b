// Exports of the module. Memory is the caller's; there is no allocator and no other state.
export { call, serve, stop } from './threads';
