// Metrics of the projector.
import { type CatalogueEntry, QUEUE, SHORT } from './entry.ts';

const PROJECTOR = 'projector';
const PIPELINE = { pipeline: '`current` (Postgres) or `history` (ClickHouse)' };

export const PROJECTOR_METRICS = [
  {
    name: 'trellis.projector.owner',
    kind: 'gauge',
    unit: '1',
    description: 'Whether this process works the pipeline (1) or stands by (0)',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo:
      'The sum over all projectors is 1 for each pipeline. 0 for longer than the lease: nobody projects; look at the logs of the projectors and at `GET /ready`.',
  },
  {
    name: 'trellis.projector.position',
    kind: 'gauge',
    unit: '{sequence}',
    description: 'Stream sequence up to which the pipeline has written; from its owner',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo: 'It stands still while the lag grows: the store takes nothing. It falls: a rebuild has begun.',
  },
  {
    name: 'trellis.projector.lag.events',
    kind: 'gauge',
    unit: '{event}',
    description: 'Stream sequences between the end of the stream and the position; from its owner',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo:
      'A peak after a burst or a rebuild is normal as long as it falls. When it grows: compare with the rate of `trellis.projector.batch.events`, look at the store.',
  },
  {
    name: 'trellis.projector.lag.time',
    kind: 'gauge',
    unit: 's',
    description: 'Age of the oldest event that is not written yet; 0 when all are; from its owner',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo: 'This old is what the CLI and the console show. Above 15 s `Jobs.Health` is degraded.',
  },
  {
    name: 'trellis.projector.batch.events',
    kind: 'histogram',
    unit: '{event}',
    description: 'Messages of one committed batch',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo: 'Its sum is the throughput of the pipeline. Batches at the limit mean that the pipeline is behind.',
    buckets: [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000],
  },
  {
    name: 'trellis.projector.batch.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Time to write one batch into the store',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo: 'Grows with the size of batches. Slow small batches: the store is busy or far away.',
    buckets: SHORT,
  },
  {
    name: 'trellis.projector.ignored',
    kind: 'counter',
    unit: '{event}',
    description: 'Events that changed nothing',
    labels: { ...PIPELINE, reason: 'why, as in docs/lifecycle.md' },
    emittedBy: PROJECTOR,
    whatToDo:
      '`already-ended` are late outcomes, `history-only` is normal. Many `not-accepted`: a publisher does not keep to the lifecycle.',
  },
  {
    name: 'trellis.projector.quarantined',
    kind: 'counter',
    unit: '{event}',
    description: 'Messages that could not be projected and were put aside',
    labels: { ...PIPELINE, code: 'what is wrong with them' },
    emittedBy: PROJECTOR,
    whatToDo: 'Look at the table `quarantine`: subject, reason, body. Repair the publisher.',
  },
  {
    name: 'trellis.projector.fields.dropped',
    kind: 'counter',
    unit: '{field}',
    description: 'Odd optional fields that were left out of events',
    labels: { ...PIPELINE, field: 'name of the field' },
    emittedBy: PROJECTOR,
    whatToDo: 'The events count all the same. Find out which publisher writes the field wrongly.',
  },
  {
    name: 'trellis.projector.rebuilds',
    kind: 'counter',
    unit: '{rebuild}',
    description: 'Times that the pipeline began from the start of the stream',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo:
      'One at the very first start. Later ones follow a stream that was made anew or a store that was emptied; the log says which.',
  },
  {
    name: 'trellis.projector.generation',
    kind: 'gauge',
    unit: '{generation}',
    description: 'Generation of the history that is written; from its owner',
    labels: PIPELINE,
    emittedBy: PROJECTOR,
    whatToDo: 'Goes up by one with every rebuild of the history; queries show the latest.',
  },
  {
    name: 'trellis.job.events',
    kind: 'counter',
    unit: '{event}',
    description: 'Lifecycle events that changed a job; what a rebuild projects once more is not counted',
    labels: { ...QUEUE, event_type: 'type of the event, such as `completed`, `retry` or `dead`' },
    emittedBy: PROJECTOR,
    whatToDo:
      'The throughput of every queue. `dead`: `trellis jobs list --state dead`, repair the cause, replay. Many `retry`: look at the last errors.',
  },
] as const satisfies readonly CatalogueEntry[];
