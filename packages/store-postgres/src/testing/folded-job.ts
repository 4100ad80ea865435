// Folded jobs for tests: complete ones from a few given fields, and arbitrary ones.
import { JOB_STATES } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import fc from 'fast-check';

export function foldedJob(fields: Partial<FoldedJob>): FoldedJob {
  return {
    id: 'J1',
    service: 'orders-service',
    type: 'charge',
    state: 'pending',
    context: { requestId: 'R1', traceId: 'd28d50f013db7574971538a5ab8bcde9', traceparent: '00-d28d-61-01' },
    payload: { order: 1 },
    result: undefined,
    createdAt: '2026-01-31T09:30:00.000Z',
    updatedAt: '2026-01-31T09:30:00.000Z',
    startedAt: undefined,
    completedAt: undefined,
    tries: 0,
    maxTries: 5,
    lastError: undefined,
    deadline: undefined,
    progress: undefined,
    logs: [],
    concurrency: undefined,
    queuePolicy: undefined,
    cancelRequestedAt: undefined,
    instanceId: undefined,
    headMissing: false,
    handedBack: false,
    originSequence: 1,
    originAt: '2026-01-31T09:30:00.000Z',
    firstSequence: 1,
    lastSequence: 1,
    ...fields,
  };
}

const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\u0000'));
/** JSON that jsonb returns unchanged: without NUL, without -0, only numbers that survive. */
const json = fc
  .jsonValue({ depthSize: 'small', stringUnit: 'grapheme' })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !JSON.stringify(value).includes('\\u0000'));
const instant = fc
  .integer({ min: Date.parse('0001-01-01T00:00:00.000Z'), max: Date.parse('9999-12-31T23:59:59.999Z') })
  .map((millis) => new Date(millis).toISOString());
const count = fc.nat({ max: 2_147_483_647 });
const sequence = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const context = fc.record(
  { requestId: text, traceId: text, traceparent: text, tracestate: text },
  { requiredKeys: ['requestId', 'traceId', 'traceparent'] },
);

/** Any job that a fold can produce. */
export const anyFoldedJob: fc.Arbitrary<FoldedJob> = fc.record({
  id: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
  service: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
  type: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
  state: fc.constantFrom(...JOB_STATES),
  context,
  payload: json,
  result: maybe(json),
  createdAt: instant,
  updatedAt: instant,
  startedAt: maybe(instant),
  completedAt: maybe(instant),
  tries: count,
  maxTries: count,
  lastError: maybe(text),
  deadline: maybe(instant),
  progress: maybe(fc.record({ step: text, current: fc.integer() }, { requiredKeys: [] })),
  logs: fc.constant([]),
  concurrency: maybe(fc.record({ key: text, keyHash: text })),
  queuePolicy: maybe(fc.record({ reason: text }, { requiredKeys: [] })),
  cancelRequestedAt: maybe(instant),
  instanceId: maybe(text),
  headMissing: fc.boolean(),
  handedBack: fc.boolean(),
  originSequence: sequence,
  originAt: instant,
  firstSequence: sequence,
  lastSequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }),
});
