// Metrics of the RPC gateway.
import { type CatalogueEntry, QUEUE, SHORT } from './entry.ts';

const GATEWAY = 'rpc-gateway';
const DUTY = { duty: 'duty of the janitor' };
const METHOD = { method: 'RPC, such as `Jobs.Get`' };

export const GATEWAY_METRICS = [
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
] as const satisfies readonly CatalogueEntry[];
