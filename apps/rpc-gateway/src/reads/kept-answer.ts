// Answers of the store for metrics: asked for while somebody reads them, at most once in a few seconds however many do.
import type { Logger } from '@trellis/async';

const KEEP_MS = 5_000;

export interface KeepOptions {
  log: Logger;
  /** Default 5,000. */
  keepMs?: number;
}

/**
 * The rows that `ask` gives, kept for a while; who asks meanwhile shares one question. A store that does not answer gives
 * no rows: old figures would be taken for new ones.
 */
export function keptAnswer<Row>(
  ask: () => Promise<Row[]>,
  { log, keepMs = KEEP_MS }: KeepOptions,
): () => Promise<Row[]> {
  let answer: Promise<Row[]> | undefined;
  let askedAt = 0;
  return () => {
    if (answer === undefined || performance.now() - askedAt >= keepMs) {
      askedAt = performance.now();
      answer = ask().catch((error: unknown) => {
        log.debug({ error }, 'the store cannot be read for the metrics now');
        return [];
      });
    }
    return answer;
  };
}
