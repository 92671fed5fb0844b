/**
 * Which implementation of the arithmetic checks receipts in this page: WebAssembly, with the bits
 * of the reference.
 */
import { createWasmBackend } from '@assay/engine';

/**
 * One thread: several need shared memory, which a page has only when it is cross-origin isolated.
 */
export const backend = createWasmBackend();
