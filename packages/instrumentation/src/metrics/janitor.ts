// Metrics of the janitor.
import { type CatalogueEntry, LONG } from './entry.ts';

const JANITOR = 'janitor';
const DUTY = { duty: 'duty of the janitor' };

export const JANITOR_METRICS = [
  {
    name: 'trellis.janitor.passes',
    kind: 'counter',
    unit: '{pass}',
    description: 'Passes that have ended',
    labels: { ...DUTY, outcome: '`done` or `failed`' },
    emittedBy: JANITOR,
    whatToDo: '`failed`: the janitor’s log has the error; the duty is tried again. No passes at all: no janitor runs.',
  },
  {
    name: 'trellis.janitor.pass.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Time of one pass',
    labels: DUTY,
    emittedBy: JANITOR,
    whatToDo: 'Passes that take longer than their interval: raise JANITOR_CONCURRENCY or start another janitor.',
    buckets: LONG,
  },
  {
    name: 'trellis.janitor.actions',
    kind: 'counter',
    unit: '{action}',
    description: 'What passes looked at and did',
    labels: { ...DUTY, action: 'such as `expired`, `dead`, `removed`, `purged`, `requeued`' },
    emittedBy: JANITOR,
    whatToDo: '`lost`, `stranded` and `dead` are worth a look: `trellis jobs health` names the jobs.',
  },
] as const satisfies readonly CatalogueEntry[];
