// Every instrument of every process, as data: instruments.ts makes them from it, docs/telemetry.md is written from it, and
// tests compare it with what is scraped, with the dashboards and with the alerts. No label ever holds an id or a key.
import { MESSAGING_SYSTEM } from '@trellis/contracts';

export interface CatalogueEntry {
  /** As OpenTelemetry has it; see `prometheusName`. */
  name: string;
  /** A `gauge` is observed: asked for only while somebody reads. */
  kind: 'counter' | 'upDownCounter' | 'histogram' | 'gauge';
  /** UCUM: `s`, or what is counted in braces. */
  unit: string;
  description: string;
  /** Label → what it holds. */
  labels: Readonly<Record<string, string>>;
  emittedBy: string;
  /** What an operator does about it. */
  whatToDo: string;
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
}

const PIPELINE = { pipeline: '`current` (Postgres) or `history` (ClickHouse)' };
const QUEUE = { service: 'service of the job', type: 'type of the job' };
const DUTY = { duty: 'duty of the janitor' };
const METHOD = { method: 'RPC, such as `Jobs.Get`' };

const PROJECTOR = 'projector';
const GATEWAY = 'rpc-gateway';
const JANITOR = 'janitor';
const AGGREGATOR = 'heartbeat-aggregator';
const SDK = 'services (SDK)';

const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LONG = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
const WAITS = [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

export const CATALOGUE = [
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
  {
    name: 'trellis.rpc.requests',
    kind: 'counter',
    unit: '{request}',
    description: 'Answered requests',
    labels: { ...METHOD, code: '`ok` or the code of the fault' },
    emittedBy: GATEWAY,
    whatToDo: '`unavailable` and `unexpected` are ours: the gateway’s log has each under the id in the fault.',
  },
  {
    name: 'trellis.rpc.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Time from a request’s arrival to its answer, waiting included',
    labels: METHOD,
    emittedBy: GATEWAY,
    whatToDo: 'Slow reads: Postgres. Slow changes: they wait for the projection, see its lag.',
    buckets: SHORT,
  },
  {
    name: 'trellis.rpc.in_flight',
    kind: 'upDownCounter',
    unit: '{request}',
    description: 'Requests that are waiting or worked on',
    labels: METHOD,
    emittedBy: GATEWAY,
    whatToDo: 'At MAX_CONCURRENT for long: start another gateway, or see what Postgres waits for.',
  },
  {
    name: 'trellis.queue.jobs',
    kind: 'gauge',
    unit: '{job}',
    description: 'Jobs in each state, as projected',
    labels: { ...QUEUE, state: 'state of the job' },
    emittedBy: GATEWAY,
    whatToDo: '`pending` that grows: more workers, or none is there (see presence). `dead`: an operator decides.',
  },
  {
    name: 'trellis.queue.oldest.age',
    kind: 'gauge',
    unit: 's',
    description: 'How long the oldest pending job of the queue has waited, among the 100 that were created first',
    labels: QUEUE,
    emittedBy: GATEWAY,
    whatToDo: 'Above what the queue’s users can bear: more workers, or look for the key that everybody waits for.',
  },
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
  {
    name: 'trellis.janitor.problems',
    kind: 'gauge',
    unit: '{problem}',
    description: 'Problems that the last pass of any janitor found',
    labels: DUTY,
    emittedBy: GATEWAY,
    whatToDo: '`trellis jobs health` names them.',
  },
  {
    name: 'trellis.janitor.overdue',
    kind: 'gauge',
    unit: 's',
    description: 'For how long a duty has been due with no janitor working on it',
    labels: DUTY,
    emittedBy: GATEWAY,
    whatToDo: 'Grows: no janitor runs, or Postgres does not take its leases.',
  },
  {
    name: 'messaging.process.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Time that a handler ran',
    labels: {
      ...QUEUE,
      outcome: 'what the attempt ended with, such as `completed`, `retry` or `failed`',
      'messaging.system': `\`${MESSAGING_SYSTEM}\``,
      'messaging.operation.name': '`process`',
    },
    emittedBy: SDK,
    whatToDo:
      'Near the ack wait or the deadline: make the work smaller. Slow of a sudden: follow a trace to what it waits for.',
    buckets: LONG,
  },
  {
    name: 'trellis.job.wait.duration',
    kind: 'histogram',
    unit: 's',
    description: 'Time from when an attempt could have begun to when it did',
    labels: QUEUE,
    emittedBy: SDK,
    whatToDo: 'Grows: more workers or more concurrency.',
    buckets: WAITS,
  },
  {
    name: 'trellis.job.attempts',
    kind: 'counter',
    unit: '{attempt}',
    description: 'Attempts that have ended',
    labels: { ...QUEUE, outcome: 'what the attempt ended with' },
    emittedBy: SDK,
    whatToDo: 'The share that did not complete is the failure rate of the handler.',
  },
  {
    name: 'trellis.job.creates',
    kind: 'counter',
    unit: '{job}',
    description: 'Jobs that were to be created',
    labels: { ...QUEUE, outcome: '`accepted`, `duplicate`, `rejected`, `coalesced`, `replaced` or `failed`' },
    emittedBy: SDK,
    whatToDo: '`rejected`: a key’s queue is full. `failed`: the stream did not take the event; callers saw an error.',
  },
  {
    name: 'trellis.job.handlers.in_flight',
    kind: 'upDownCounter',
    unit: '{handler}',
    description: 'Handlers that run now',
    labels: QUEUE,
    emittedBy: SDK,
    whatToDo: 'Always at the concurrency of the queue: it is the bottleneck.',
  },
  {
    name: 'trellis.job.parked',
    kind: 'counter',
    unit: '{delivery}',
    description: 'Deliveries that were given back because their key had no place',
    labels: QUEUE,
    emittedBy: SDK,
    whatToDo: '`trellis jobs key` shows who holds the key and who waits.',
  },
] as const satisfies readonly CatalogueEntry[];

export type InstrumentName = (typeof CATALOGUE)[number]['name'];
type Named<Name extends InstrumentName> = Extract<(typeof CATALOGUE)[number], { name: Name }>;
export type NameOfKind<Kind extends CatalogueEntry['kind']> = Extract<
  (typeof CATALOGUE)[number],
  { kind: Kind }
>['name'];
/** The labels of an instrument; each is needed. */
export type LabelsOf<Name extends InstrumentName> = { readonly [Label in keyof Named<Name>['labels']]: string };

const SUFFIX: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/**
 * What an instrument is called in Prometheus, scraped here or through a collector: with its unit, and `_total` for what only
 * ever grows.
 */
export function prometheusName({ name, unit, monotonic }: { name: string; unit: string; monotonic: boolean }): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]+/g, '_');
  const suffix = SUFFIX[unit] ?? '';
  const measured = plain.endsWith(suffix) ? plain : plain + suffix;
  return monotonic && !measured.endsWith('_total') ? `${measured}_total` : measured;
}
