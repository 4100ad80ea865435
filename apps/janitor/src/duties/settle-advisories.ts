// Duty `advisories`: the server reports that a work message used up its deliveries. The job becomes `dead` and the message is
// removed. Advisories wait in their stream while no janitor runs. Other advisories are counted and skipped.
import { AckPolicy, type Consumer, JetStreamApiCodes, JetStreamApiError, type JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { workConsumerName, workSubject } from '@trellis/contracts';
import { type JobStream, whenConnected } from '@trellis/nats';
import { z } from 'zod';
import { planExhaustion } from '../plan/plan-job.ts';
import { type JanitorPorts, Tally } from '../ports.ts';
import { changeJob } from '../stream/change-job.ts';
import type { WorkMessage, WorkOrigin } from '../stream/work-queue.ts';
import type { Duty, Pass, PassResult } from './duty.ts';

const DURABLE = 'janitor';
const ACK_WAIT_MS = 60_000;
const TRY_AGAIN_MS = 5_000;

const Advisory = z.looseObject({
  stream: z.string(),
  consumer: z.string(),
  stream_seq: z.int().min(1),
  deliveries: z.int().min(0),
  timestamp: z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'expected an RFC 3339 instant'),
});
type Advisory = z.infer<typeof Advisory>;

export function settleAdvisories(ports: JanitorPorts): Duty {
  return { name: 'advisories', run: (pass) => run(ports, pass) };
}

async function run(ports: JanitorPorts, pass: Pass): Promise<PassResult> {
  const tally = new Tally('advisories', 'dead');
  const consumer = await openConsumer(ports.stream);
  const filters = new ConsumerFilters(ports.stream);
  while (!pass.signal.aborted) {
    const { num_pending, num_ack_pending } = await consumer.info();
    const waiting = num_pending + num_ack_pending;
    if (waiting === 0) break;
    const messages = await consumer.fetch({
      max_messages: Math.min(waiting, ports.settings.janitorPageSize),
      expires: 1_000,
    });
    const answers: Promise<void>[] = [];
    for await (const message of messages) {
      answers.push(ports.limit(() => settle(ports, pass, filters, message, tally)));
    }
    await Promise.all(answers);
    // The rest waits for its next try.
    if (answers.length === 0) break;
  }
  return { counts: tally.counts };
}

async function openConsumer({ js, jsm, names, nc }: JobStream): Promise<Consumer> {
  await whenConnected(nc);
  try {
    await jsm.consumers.info(names.advisories, DURABLE);
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.ConsumerNotFound) throw error;
    await jsm.consumers.add(names.advisories, {
      durable_name: DURABLE,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT_MS),
      max_deliver: -1,
      max_ack_pending: 10_000,
    });
  }
  return js.consumers.get(names.advisories, DURABLE);
}

/** Handles one advisory and acknowledges it. One that cannot be handled now is delivered again. */
async function settle(
  ports: JanitorPorts,
  pass: Pass,
  filters: ConsumerFilters,
  message: JsMsg,
  tally: Tally,
): Promise<void> {
  if (pass.signal.aborted) return message.nak();
  try {
    const outcome = await settleOne(ports, pass, filters, message);
    tally.add('advisories');
    tally.add(outcome);
    await message.ackAck();
  } catch (error) {
    if (!pass.signal.aborted) {
      tally.add('postponed');
      pass.log.warn({ error, advisory: message.seq }, 'an advisory cannot be settled now; it is tried again');
    }
    message.nak(TRY_AGAIN_MS);
  }
}

/** @returns what became of it, for the counts */
async function settleOne(
  { stream, work, settings, now }: JanitorPorts,
  pass: Pass,
  filters: ConsumerFilters,
  message: JsMsg,
): Promise<string> {
  const passOver = (why: string, facts: object): string => {
    pass.log.warn({ ...facts, advisory: message.seq, why }, 'a max-delivery advisory is passed over');
    return why;
  };
  const advisory = readAdvisory(message);
  if (!advisory || advisory.stream !== stream.names.work) return passOver('malformed', { subject: message.subject });
  const { stream_seq: workSequence, consumer, deliveries } = advisory;
  const facts = { workSequence, consumer };

  const found = await work.messageAt(workSequence);
  if (!found) return passOver('message-gone', facts);
  if (Date.parse(found.storedAt) > raisedAt(advisory, message)) return passOver('another-message', facts);
  if (!found.origin) return passOver('not-sourced', facts);
  if (!(await filters.fits(consumer, found, found.origin))) return passOver('another-queue', facts);

  const { origin } = found;
  const jobFacts = { ...facts, jobId: origin.jobId, service: origin.service, jobType: origin.jobType };
  const { instanceId } = settings;
  const exhaustion = { origin, workSequence, deliveries };
  const outcome = await changeJob(
    stream,
    { service: origin.service, type: origin.jobType, id: origin.jobId },
    (view) => planExhaustion(view, exhaustion, { now: now(), instanceId }),
    { operation: 'settle', signal: pass.signal },
  );
  if (outcome.kind === 'left') {
    if (outcome.why === 'unknown-job') return passOver('unknown-job', jobFacts);
    if (outcome.why === 'keeps-changing') throw new Error(`job ${origin.jobId} keeps changing`);
  }
  await work.remove(workSequence, origin.sequence);
  if (outcome.kind === 'left') {
    pass.log.info({ ...jobFacts, why: outcome.why }, 'an exhausted work message is removed; its run was over');
    return outcome.why;
  }
  const { traceId, requestId } = outcome.event.context;
  pass.log.warn({ ...jobFacts, traceId, requestId, deliveries }, 'the job is dead: its work ran out of deliveries');
  return 'dead';
}

function readAdvisory(message: JsMsg): Advisory | undefined {
  try {
    return Advisory.safeParse(message.json()).data;
  } catch {
    return undefined;
  }
}

/** The later of the advisory's own time and its storage time: servers of a cluster have different clocks. */
const raisedAt = (advisory: Advisory, message: JsMsg): number =>
  Math.max(Date.parse(advisory.timestamp), message.time.getTime());

/** Whether a consumer could have received this work message. */
class ConsumerFilters {
  readonly #stream: JobStream;
  readonly #known = new Map<string, Promise<readonly string[]>>();

  constructor(stream: JobStream) {
    this.#stream = stream;
  }

  async fits(consumer: string, message: WorkMessage, { service, jobType }: WorkOrigin): Promise<boolean> {
    if (message.subject !== workSubject(service, jobType)) return false;
    if (consumer === workConsumerName(service, jobType)) return true;
    // Other implementations name their consumers differently: the filter decides.
    const filters = this.#known.get(consumer) ?? this.#filtersOf(consumer);
    this.#known.set(consumer, filters);
    return (await filters).includes(message.subject);
  }

  async #filtersOf(consumer: string): Promise<readonly string[]> {
    try {
      const { config } = await this.#stream.jsm.consumers.info(this.#stream.names.work, consumer);
      return config.filter_subjects ?? (config.filter_subject === undefined ? [] : [config.filter_subject]);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound) return [];
      throw error;
    }
  }
}
