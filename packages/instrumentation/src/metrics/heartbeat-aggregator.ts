// Metrics of the heartbeat aggregator.
import type { CatalogueEntry } from './entry.ts';

const AGGREGATOR = 'heartbeat-aggregator';

export const AGGREGATOR_METRICS = [
  {
    name: 'trellis.presence.workers',
    kind: 'gauge',
    unit: '{worker}',
    description: 'Workers by how recently they were heard; from the replica that keeps presence',
    labels: { service: 'service of the worker', status: '`live`, `late` or `gone`' },
    emittedBy: AGGREGATOR,
    whatToDo:
      'None `live` while jobs wait: start the service. `late` for long: its event loop or its connection hangs.',
  },
  {
    name: 'trellis.presence.heartbeats',
    kind: 'counter',
    unit: '{heartbeat}',
    description: 'Heartbeats that were heard',
    labels: { outcome: '`accepted`, `malformed`, or `mismatched` (subject and body differ)' },
    emittedBy: AGGREGATOR,
    whatToDo: 'Other than `accepted`: find the publisher at log level debug.',
  },
  {
    name: 'trellis.presence.writes',
    kind: 'counter',
    unit: '{row}',
    description: 'Rows of presence that were written',
    labels: {},
    emittedBy: AGGREGATOR,
    whatToDo: 'Stands still although heartbeats come: another replica keeps presence, or Postgres does not answer.',
  },
] as const satisfies readonly CatalogueEntry[];
