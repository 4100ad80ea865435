// Events for tests: whole ones with what is required, and arbitrary ones for properties.
import { EVENT_TYPES, JOB_STATES, type LifecycleEvent, LOG_LEVELS, type StoredEvent } from '@trellis/contracts';
import fc from 'fast-check';
import { TRANSITIONS } from '../transitions.ts';

const START = Date.UTC(2026, 0, 1);
const instantAt = (millis: number): string => new Date(START + millis).toISOString();

/** An event of job J1 at a stream sequence, a second later for each sequence. */
export function storedEvent(
  sequence: number,
  fields: Partial<LifecycleEvent> & Pick<LifecycleEvent, 'eventType'>,
): StoredEvent {
  const { to } = TRANSITIONS[fields.eventType];
  const event: LifecycleEvent = {
    jobId: 'J1',
    service: 'orders-service',
    jobType: 'charge',
    state: to === 'same' ? 'active' : to,
    timestamp: instantAt(sequence * 1_000),
    context: {
      requestId: 'R1',
      traceId: 'd28d50f013db7574971538a5ab8bcde9',
      traceparent: '00-d28d50f013db7574971538a5ab8bcde9-614491ca55fc8ce1-01',
    },
    tries: 0,
    ...(fields.eventType === 'created' ? { payload: { order: 1 } } : {}),
    ...fields,
  };
  return { sequence, storedAt: instantAt(sequence * 1_000 + 1), event };
}

/** JSON as it comes out of JSON.parse. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const instant = fc.integer({ min: 0, max: 1_000_000 }).map(instantAt);
const text = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((value) => !value.includes('\u0000'));

const optional = fc.record(
  {
    maxTries: fc.integer({ min: 1, max: 9 }),
    payload: json,
    result: json,
    error: text,
    progress: fc.record({ step: text, current: fc.integer() }, { requiredKeys: [] }),
    logs: fc.array(fc.record({ timestamp: instant, level: fc.constantFrom(...LOG_LEVELS), message: text }), {
      maxLength: 2,
    }),
    deadline: instant,
    concurrency: fc.record(
      { key: text, keyHash: text, instanceId: text, slotToken: text, heartbeatAt: instant, leaseExpiresAt: instant },
      { requiredKeys: ['key', 'keyHash'] },
    ),
    queuePolicy: fc.record({ outcome: fc.constantFrom('accepted', 'replaced'), reason: text }, { requiredKeys: [] }),
    instanceId: text,
    handedBack: fc.constant(true as const),
  },
  { requiredKeys: [] },
);

/** Any event with its fields as decodeEvent would leave them. */
export const anyEvent = (jobIds: readonly string[] = ['J1'], owners: readonly string[] = ['orders-service.charge']) =>
  fc
    .record({
      eventType: fc.constantFrom(...EVENT_TYPES),
      jobId: fc.constantFrom(...jobIds),
      owner: fc.constantFrom(...owners),
      state: fc.constantFrom(...JOB_STATES),
      timestamp: instant,
      tries: fc.nat({ max: 9 }),
      optional,
    })
    .map(({ eventType, jobId, owner, state, timestamp, tries, optional: given }) => {
      const [service = '', jobType = ''] = owner.split('.');
      const fields = { ...given, jobId, service, jobType, timestamp, tries, eventType };
      // The state of an event is a fact of its kind; only of the others it says where the job stood.
      return TRANSITIONS[eventType].to === 'same' ? { ...fields, state } : fields;
    });

/** A stream: any events, often in a likely order. */
export const anyStream = (jobIds?: readonly string[], owners?: readonly string[]) =>
  fc
    .array(anyEvent(jobIds, owners), { maxLength: 25 })
    .map((events) => events.map((fields, index) => storedEvent(index + 1, fields)));
