/** How tests read with which code something fails. */
import { AssayError } from '@assay/protocol';

/** The code with which work fails, `none` if it does not; what is no {@link AssayError} is thrown on. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AssayError) return error.code;
    throw error;
  }
  return 'none';
}
