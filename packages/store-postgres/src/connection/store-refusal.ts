// Classifies Postgres errors: which ones the content of a row causes. All others are failures of the store, or bugs.

/** SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded (such as an index row too large). */
const CONTENT = /^(22|23|54)/;

export interface StoreRefusal {
  /** SQLSTATE. */
  storeCode: string;
  reason: string;
}

/** Why Postgres refused the content; undefined when the content did not cause the error. */
export function contentRefusal(error: unknown): StoreRefusal | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return CONTENT.test(error.code) ? { storeCode: error.code, reason: error.message } : undefined;
}
