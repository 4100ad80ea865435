// What every changing RPC does: find the job, decide, publish one event, wait until it is projected, answer with the
// job (docs/protocol.md#rpcs). The method decides.
import {
  EVENT_TYPES,
  type EventType,
  eventSubject,
  Fault,
  type JobReply,
  type JobState,
  jobFilter,
  type LifecycleEvent,
  type StoredEvent,
} from '@trellis/contracts';
import { ENDED_STATES, type FoldedJob, reduce, TRANSITIONS, toWireJob } from '@trellis/lifecycle';
import { withTraceLink } from '../reads/trace-link.ts';
import type { Call, Ports } from '../rpc/method.ts';

export type Decision =
  /**
   * Publish `event`. `unchanged`: only if nothing has happened to the job since it was read. `always`: the stream's order
   * decides; `messageId` then lets any number of equal requests store one event.
   */
  | { kind: 'publish'; event: CommandEvent; when: 'unchanged' }
  | { kind: 'publish'; event: CommandEvent; when: 'always'; messageId: string }
  /** The job is as wanted already. */
  | { kind: 'answer' }
  | { kind: 'refuse'; fault: Fault };

/** An event but for the fields that every event of the job shares. */
export type CommandEvent = Pick<LifecycleEvent, 'eventType' | 'state'> & Partial<LifecycleEvent>;

export interface Command {
  id: string;
  reason: string | undefined;
  /** Asked again whenever the job has changed since. */
  decide: (job: FoldedJob) => Decision | Promise<Decision>;
  /** Work left to the caller whose event was stored. Its failure is logged and does not change the reply. */
  afterwards?: (job: FoldedJob, sequence: number) => Promise<void>;
}

/** A job and the sequence for a condition on it. */
interface Standing {
  job: FoldedJob;
  lastSequence: number;
}

interface Done {
  /** As the job stood when it was decided. */
  standing: Standing;
  /** As it is after the event, for all that is known here. */
  after: FoldedJob;
  /** The projection must have come this far before its row shows the change. */
  sequence: number;
  /** The event that was stored for this request, if one was. */
  published: { eventType: EventType; after: number | undefined; sequence: number } | undefined;
}

const MAX_ROUNDS = 20;
/** Shorter than the timeout of callers: they still get a reply when the outcome is unclear. */
const PUBLISH_TIMEOUT_MS = 6_000;

/**
 * Runs one command to its answer.
 * @throws {Fault} not-found, whatever `decide` refuses with, unavailable when others keep changing the job
 */
export async function runCommand(command: Command, call: Call, ports: Ports): Promise<JobReply> {
  const done = await settle(command, call, ports);
  // Not known is not said; that the event is stored is certain.
  const forced = await overtookStart(done, ports).catch(() => false);
  const { job } = done.standing;
  if (done.published) {
    const { eventType, sequence } = done.published;
    call.log.info({ ...jobFields(job), eventType, sequence, ...(forced ? { forced } : {}) }, `${eventType} published`);
    await command.afterwards?.(job, sequence).catch((error: unknown) => {
      call.log.warn({ ...jobFields(job), error }, `what follows ${eventType} could not be done`);
    });
  }
  const answered = await answer(done, ports);
  const reply = { ...answered, job: withTraceLink(answered.job, ports.settings.traceUrlTemplate) };
  return forced ? { ...reply, forced: true } : reply;
}

async function settle(command: Command, call: Call, ports: Ports): Promise<Done> {
  let standing = await findJob(command.id, ports);
  // Rows and replicas may lag: a refusal is never based on them alone.
  let fromLeader = false;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const decision = await command.decide(standing.job);
    if (decision.kind === 'refuse') {
      if (fromLeader) throw decision.fault;
      standing = await lookAgain(standing, ports);
      fromLeader = true;
      continue;
    }
    if (decision.kind === 'answer') {
      return { standing, after: standing.job, sequence: standing.job.lastSequence, published: undefined };
    }

    const event = completeEvent(decision.event, standing.job, command, call);
    const { service, type, id } = standing.job;
    const after = decision.when === 'unchanged' ? standing.lastSequence : undefined;
    const outcome = await ports.stream.publish(event, {
      timeoutMs: PUBLISH_TIMEOUT_MS,
      ...(decision.when === 'always' ? { messageId: decision.messageId } : {}),
      ...(after === undefined ? {} : { expect: { lastSequence: after, filter: jobFilter(service, type, id) } }),
    });
    if (outcome.kind === 'stored') {
      const { sequence } = outcome;
      const published = { eventType: event.eventType, after, sequence };
      const reduced = reduce(standing.job, { sequence, storedAt: event.timestamp, event });
      return { standing, after: reduced.kind === 'applied' ? reduced.job : standing.job, sequence, published };
    }

    const { job: read, lastSequence, events } = await ports.stream.readJob(id);
    if (!read) throw notFound(id);
    const job = wholeJob(read, events, standing.job);
    standing = { job, lastSequence };
    fromLeader = true;
    // Another caller was quicker with the same action: the result is the requested one.
    const winner = effective(events).find(
      (one) => one.event.eventType === event.eventType && one.sequence > (after ?? 0),
    );
    if (winner) return { standing, after: job, sequence: winner.sequence, published: undefined };
  }
  throw new Fault('unavailable', `job ${command.id} keeps changing; try again`, { jobId: command.id });
}

/**
 * The job as its row shows it, or as the stream does where the row would decide wrongly. A row that waits for a worker
 * needs no second look: what is published for it carries a condition.
 */
async function findJob(id: string, ports: Ports): Promise<Standing> {
  const row = await ports.reader.getJobHead(id);
  if (row) {
    const standing = { job: row, lastSequence: row.lastSequence };
    if (row.state === 'pending' || row.state === 'retry') return standing;
    const latest = await ports.stream.lastOfEvents(row.service, row.type, id, DECISIVE_EVENTS);
    const news = [...latest.values()].some((message) => message.sequence > row.lastSequence);
    return news ? lookAgain(standing, ports) : standing;
  }
  const { job, lastSequence } = await ports.stream.readJob(id);
  if (job) return { job, lastSequence };
  throw notFound(id);
}

/** The same job with what the stream's leader knows beyond it. */
async function lookAgain({ job: known, lastSequence: seen }: Standing, ports: Ports): Promise<Standing> {
  const read = await ports.stream.readJob(known.id);
  if (!read.job) return { job: known, lastSequence: seen };
  return { job: wholeJob(read.job, read.events, known), lastSequence: read.lastSequence };
}

/** A job whose first events are gone from the stream: folded onto its row. */
function wholeJob(read: FoldedJob, events: StoredEvent[], known: FoldedJob): FoldedJob {
  if (!read.headMissing) return read;
  return events.reduce((job, stored) => {
    const outcome = reduce(job, stored);
    return outcome.kind === 'applied' ? outcome.job : job;
  }, known);
}

/** Events that may change a decision: all but the reports of a running handler. */
const DECISIVE_EVENTS: EventType[] = EVENT_TYPES.filter(
  (type) => TRANSITIONS[type].from.length > 0 && !['progress', 'logged', 'heartbeat'].includes(type),
);

function completeEvent(event: CommandEvent, job: FoldedJob, command: Command, call: Call): LifecycleEvent {
  return {
    jobId: job.id,
    service: job.service,
    jobType: job.type,
    previousState: job.state,
    timestamp: new Date().toISOString(),
    context: job.context,
    tries: job.tries,
    actor: { kind: 'operator', ...(call.actorId === undefined ? {} : { id: call.actorId }) },
    ...(command.reason === undefined ? {} : { reason: command.reason }),
    ...event,
  };
}

/** The events that changed the job when they came. */
function effective(events: StoredEvent[]): StoredEvent[] {
  let job: FoldedJob | undefined;
  return events.filter((stored) => {
    const outcome = reduce(job, stored);
    if (outcome.kind === 'applied') job = outcome.job;
    return outcome.kind === 'applied';
  });
}

/**
 * Whether a `started` came between the look and the accepted ending event. Older workers publish it without a condition, and on
 * several servers a condition does not see what is still in flight: the event then stopped a running job.
 */
async function overtookStart({ published, standing }: Done, ports: Ports): Promise<boolean> {
  if (!published || !endsExecution(published.eventType)) return false;
  if (published.after === undefined) return standing.job.state === 'active';
  const { service, type, id } = standing.job;
  const started = await ports.stream.lastOf(eventSubject(service, type, id, 'started'));
  return started !== undefined && started.sequence > published.after && started.sequence < published.sequence;
}

const endsExecution = (type: EventType): boolean => {
  const { to } = TRANSITIONS[type];
  return to !== 'same' && ENDED_STATES.includes(to) && TRANSITIONS[type].from.includes('active');
};

/**
 * The job as the projection shows it once it has come far enough, else as the stream shows it now. The event is stored: what
 * fails from here on must not make the caller believe that nothing happened.
 */
async function answer({ after, sequence }: Done, ports: Ports): Promise<JobReply> {
  const { id } = after;
  if (await ports.projection.reached(sequence, ports.settings.projectionWaitMs)) {
    const row = await ports.reader.getJob(id).catch(() => undefined);
    if (row) return { job: toWireJob(row) };
  }
  const read = await ports.stream.readJob(id).catch(() => undefined);
  return { job: toWireJob(read?.job ?? after), projected: false };
}

export const notFound = (id: string): Fault =>
  new Fault('not-found', `there is no job ${id}`, { resource: 'job', jobId: id });

/** The refusal of an action that the job's state does not accept. */
export function stateConflict(method: string, job: FoldedJob, accepted: readonly JobState[]): Fault {
  return new Fault('state-conflict', `job ${job.id} is ${job.state}; ${method} accepts ${accepted.join(', ')}`, {
    jobId: job.id,
    context: { state: job.state, accepted },
  });
}

/** The fields under which a job is found in the log. */
const jobFields = (job: FoldedJob) => ({
  jobId: job.id,
  service: job.service,
  jobType: job.type,
});
