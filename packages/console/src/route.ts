/**
 * Addresses inside the page, after the `#`, so that the gateway serves one file for all of them.
 */

export type Route =
  | { readonly view: 'ask' }
  | { readonly view: 'network' }
  | { readonly view: 'court'; readonly jobId?: string }
  | { readonly view: 'receipts'; readonly jobId?: string };

/** Anything unknown leads to the chat; a receipt's id must look like one. */
export function parseRoute(hash: string): Route {
  const [view = '', rest = ''] = hash.replace(/^#\/?/, '').split('/');
  if (view === 'network') return { view };
  if (view !== 'receipts' && view !== 'court') return { view: 'ask' };
  return isJobId(rest) ? { view, jobId: rest.toLowerCase() } : { view };
}

export const isJobId = (text: string): boolean => /^0x[0-9a-f]{64}$/i.test(text);

export const courtHref = (jobId: string): string => `#/court/${jobId}`;

export const receiptHref = (jobId: string): string => `#/receipts/${jobId}`;
