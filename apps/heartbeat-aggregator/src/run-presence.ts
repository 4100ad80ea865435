// The loops of the process: presence, its report in the log, the limit on memory; and whether presence is kept now.

import type { JobStream } from '@trellis/nats';
import { boundYoungGeneration, type ComponentScope } from '@trellis/runtime';
import type { PresenceStore } from '@trellis/store-postgres';
import type { AggregatorConfig } from './config.ts';
import { keepPresence } from './keep-presence.ts';
import { newCounts } from './presence-counts.ts';
import { PresenceMetrics } from './presence-metrics.ts';

const REPORT_EVERY_MS = 60_000;
const BOUND_MEMORY_EVERY_MS = 1_000;
/** Enough for thousands of heartbeats a second between two collections; V8 would grow to 128 MB. */
const YOUNG_BYTES = 32 * 2 ** 20;

interface PresenceParts {
  stream: JobStream;
  store: PresenceStore;
  settings: AggregatorConfig;
}

export function runPresence({ log, run, ready }: ComponentScope, { stream, store, settings }: PresenceParts): void {
  const counts = newCounts();
  const metrics = new PresenceMetrics();
  let firstRun = true;
  let isSettled = false;
  const settled = () => {
    isSettled = true;
  };
  const presence = run('presence', {
    run: async (signal) => {
      const takeOver = firstRun;
      firstRun = false;
      await keepPresence({ stream, store, settings, signal, log, counts, metrics, takeOver, settled });
    },
  });
  run('presence report', {
    intervalMs: REPORT_EVERY_MS,
    run: async () => log.info({ counts: { ...counts } }, 'presence since the start'),
  });
  run('memory limit', {
    intervalMs: BOUND_MEMORY_EVERY_MS,
    run: async () => boundYoungGeneration(YOUNG_BYTES),
  });
  ready('presence', () => {
    if (!isSettled) throw new Error('not every worker has been heard yet');
    if (presence.lastError !== undefined) throw new Error('presence is not kept now', { cause: presence.lastError });
  });
}
