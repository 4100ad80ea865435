// Metrics of services, by the SDK.
import { MESSAGING_SYSTEM } from '@trellis/contracts';
import { type CatalogueEntry, LONG, QUEUE, WAITS } from './entry.ts';

const SDK = 'services (SDK)';

export const SDK_METRICS = [
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
