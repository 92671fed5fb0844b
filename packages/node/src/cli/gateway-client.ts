/**
 * The gateway as the command line calls it: with the key of `ASSAY_API_KEY`, and refusals that say whose fault it is.
 */
import { AssayError } from '@assay/protocol';
import { fetchJson, type PeerRequest } from '../peers/http-client.js';

/** Refusals that whoever typed the command can mend. */
const USER_CODES = new Set([
  'invalid_api_key',
  'foreign_host',
  'invalid_value',
  'model_not_found',
  'receipt_not_found',
]);

/** Headers that a gateway may want; the key is read from the environment so that no shell history keeps it. */
export function gatewayHeaders(): Readonly<Record<string, string>> {
  const key = process.env.ASSAY_API_KEY;
  return key === undefined || key === '' ? {} : { authorization: `Bearer ${key}` };
}

/** JSON of an answer of the gateway; throws its refusal. */
export async function fetchGateway(request: PeerRequest): Promise<unknown> {
  try {
    return await fetchJson({ ...request, headers: gatewayHeaders() });
  } catch (error) {
    throw error instanceof AssayError && USER_CODES.has(error.code) ? userFault(error) : error;
  }
}

const userFault = (error: AssayError): AssayError =>
  new AssayError({
    code: error.code,
    fault: 'user',
    message: error.message,
    value: error.value,
    remedy:
      error.code === 'invalid_api_key'
        ? 'Set ASSAY_API_KEY to the key that the gateway was started with.'
        : error.remedy,
    cause: error,
  });
