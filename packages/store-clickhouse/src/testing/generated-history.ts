// Generates a history that resembles a working day: every outcome, retries, reruns, cancellations, lost workers, late events,
// keys, two worker versions. For tests; the same seed gives the same history.
import type { EventType, JobState, LifecycleEvent, StoredEvent } from '@trellis/contracts';

export interface GeneratedHistoryOptions {
  jobs: number;
  /** When the first job is created, milliseconds since 1970. */
  from: number;
  /** Jobs are created during this time, milliseconds. */
  spanMs: number;
  seed?: number;
}

export const OLD_VERSION = '1.4.0';
export const NEW_VERSION = '1.5.0';

/** Pseudorandom whole numbers below `below`; the same seed gives the same numbers. */
type Random = (below: number) => number;

function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const QUEUES = [
  { service: 'orders-service', jobType: 'reserve-inventory', runMs: 300 },
  { service: 'orders-service', jobType: 'charge-payment', runMs: 2_000 },
  { service: 'zendesk-sync', jobType: 'sync-tickets', runMs: 9_000 },
];

/** The events in stream order. */
export function generatedHistory(options: GeneratedHistoryOptions): StoredEvent[] {
  const { jobs, from, spanMs, seed = 1 } = options;
  const random = randomFrom(seed);
  const events: LifecycleEvent[] = [];
  for (let index = 0; index < jobs; index++) {
    const createdAt = from + Math.floor((index * spanMs) / jobs) + random(1_000);
    const version = createdAt < from + spanMs / 2 ? OLD_VERSION : NEW_VERSION;
    const teller = new JobTeller(index, createdAt, version, random);
    (STORIES[index % STORIES.length] as Story)(teller);
    events.push(...teller.events);
  }
  // Stable: equal times keep the order of their job.
  events.sort((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0));
  return events.map((event, index) => ({
    sequence: index + 1,
    storedAt: new Date(Date.parse(event.timestamp) + 5).toISOString(),
    event,
  }));
}

class JobTeller {
  readonly events: LifecycleEvent[] = [];
  readonly random: Random;
  tries = 0;
  readonly #queue: (typeof QUEUES)[number];
  readonly #index: number;
  readonly #version: string;
  readonly #instance: string;
  #at: number;

  constructor(index: number, createdAt: number, version: string, random: Random) {
    this.random = random;
    this.#index = index;
    this.#queue = QUEUES[random(QUEUES.length)] as (typeof QUEUES)[number];
    this.#version = version;
    this.#instance = `host-${random(3)}`;
    this.#at = createdAt;
    this.say('created', 'pending', 0, { payload: this.#payload(), maxTries: 5, ...this.#concurrency() });
  }

  /** Adds an event `afterMs` after the previous one; default: up to three seconds. */
  say(
    eventType: EventType,
    state: JobState,
    afterMs = 1 + this.random(3_000),
    fields: Partial<LifecycleEvent> = {},
  ): void {
    this.#at += afterMs;
    const id = String(this.#index).padStart(8, '0');
    const traceId = this.#index.toString(16).padStart(32, '0');
    this.events.push({
      jobId: `01J${id}`,
      service: this.#queue.service,
      jobType: this.#queue.jobType,
      eventType,
      state,
      timestamp: new Date(this.#at).toISOString(),
      context: { requestId: `request-${id}`, traceId, traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
      tries: this.tries,
      ...fields,
    });
  }

  start(): void {
    this.tries += 1;
    this.#started();
  }

  /** Continues a released delivery: no new attempt. */
  startAgain(): void {
    this.#started();
  }

  /** Adds an event with which the worker ends or interrupts the attempt, after it has run for some time. */
  work(eventType: EventType, state: JobState, fields: Partial<LifecycleEvent> = {}): void {
    this.say(eventType, state, 10 + this.random(this.#queue.runMs), { instanceId: this.#instance, ...fields });
  }

  fail(eventType: 'retry' | 'failed' | 'dead'): void {
    const errors = [
      `card ${4_000 + this.random(999)} declined`,
      'provider answered 503',
      `timeout after ${1 + this.random(9)}000 ms`,
      `order "A-${this.random(99)}" is unknown`,
    ];
    this.work(eventType, eventType, { error: errors[this.random(errors.length)] as string });
  }

  retried(): void {
    this.tries = 0;
    const actor = { kind: 'operator', id: 'ann' } as const;
    this.say('retried', 'pending', 60_000, { actor, payload: this.#payload(), maxTries: 5 });
  }

  #started(): void {
    const workerVersion = this.#version;
    this.say('started', 'active', undefined, { instanceId: this.#instance, workerVersion, ...this.#concurrency() });
  }

  #payload() {
    return { customer: `customer-${this.#index % 17}`, amount: this.#index % 100 };
  }

  #concurrency(): Partial<LifecycleEvent> {
    if (this.#queue.service !== 'zendesk-sync') return {};
    const account = this.#index % 7;
    return { concurrency: { key: `zendesk:account-${account}`, keyHash: `hash-${account}`, slotToken: 'secret' } };
  }
}

type Story = (job: JobTeller) => void;

const plain: Story = (job) => {
  job.start();
  job.work('completed', 'completed', { result: { ok: true } });
};
const afterRetries: Story = (job) => {
  for (let attempt = 0; attempt <= job.random(3); attempt++) {
    job.start();
    job.fail('retry');
  }
  plain(job);
};
const dead: Story = (job) => {
  for (let attempt = 1; attempt < 5; attempt++) {
    job.start();
    job.fail('retry');
  }
  job.start();
  job.fail('dead');
};
const failed: Story = (job) => {
  job.start();
  job.fail('failed');
};
const janitor = { kind: 'janitor', id: 'janitor-1' } as const;
const operators = ['ann', 'ben', 'cleo'];
const operator = (job: JobTeller) => ({ kind: 'operator', id: operators[job.random(3)] as string }) as const;

const STORIES: readonly Story[] = [
  ...Array.from({ length: 8 }, () => plain),
  ...Array.from({ length: 4 }, () => afterRetries),
  failed,
  failed,
  dead,
  (job) => {
    dead(job);
    job.say('dismissed', 'dismissed', 30_000, { actor: operator(job), reason: 'not worth it' });
  },
  (job) => {
    dead(job);
    job.retried();
    plain(job);
  },
  (job) => {
    failed(job);
    job.retried();
    failed(job);
    job.retried();
    afterRetries(job);
  },
  // Cancelled before the run, during the run, and by force, so that the worker's event comes too late.
  (job) => job.say('cancelled', 'cancelled', undefined, { actor: operator(job), reason: 'changed their mind' }),
  (job) => {
    job.start();
    const asked = { actor: operator(job), reason: 'wrong order' };
    job.say('cancelRequested', 'active', 100, asked);
    job.work('cancelled', 'cancelled', asked);
  },
  (job) => {
    job.start();
    job.say('cancelled', 'cancelled', 50, { actor: operator(job), reason: 'at once' });
    job.work('completed', 'completed', { result: null });
  },
  (job) => {
    plain(job);
    job.fail('failed');
  },
  (job) => job.say('expired', 'expired', 90_000, { actor: janitor, error: 'job exceeded deadline' }),
  (job) =>
    job.say('skipped', 'skipped', undefined, { actor: { kind: 'service', id: 'zendesk-sync' }, reason: 'replaced' }),
  // The worker was lost: the message was redelivered to another attempt, or the lease of its key expired.
  (job) => {
    job.start();
    job.start();
    job.work('completed', 'completed');
  },
  (job) => {
    job.start();
    job.say('stale', 'stale', 120_000, { actor: janitor, error: 'lease ran out' });
  },
  (job) => {
    job.start();
    job.work('retry', 'retry', { handedBack: true });
    job.startAgain();
    job.say('progress', 'active', 20, { progress: { step: 'half', current: 1, total: 2 } });
    job.say('logged', 'active', 20, {
      logs: [{ timestamp: '2026-03-01T10:00:00.000Z', level: 'warn', message: 'slow' }],
    });
    job.work('completed', 'completed');
  },
  // Still open.
  () => undefined,
  (job) => job.start(),
  (job) => {
    job.start();
    job.fail('retry');
  },
];
