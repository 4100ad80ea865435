import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeEvent, MAX_NESTING } from './decode-event.ts';
import { requiredEventFields } from './event.ts';
import { MAX_JOB_ID_LENGTH } from './names.ts';

const body = (changes: Record<string, unknown> = {}) => ({
  jobId: 'J1',
  service: 'orders-service',
  jobType: 'charge',
  eventType: 'created',
  state: 'pending',
  timestamp: '2026-01-31T09:30:00.000Z',
  context: { requestId: 'r1', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 0,
  payload: { sku: 'x' },
  ...changes,
});

const decode = (data: unknown, subject = 'trellis.jobs.orders-service.charge.J1.created') =>
  decodeEvent({
    subject,
    sequence: 7,
    storedAt: '2026-01-31T09:30:00.100Z',
    data: typeof data === 'string' ? new TextEncoder().encode(data) : (data as Uint8Array),
  });
const decodeBody = (changes: Record<string, unknown>, subject?: string) =>
  decode(JSON.stringify(body(changes)), subject);

const eventOf = (decoded: ReturnType<typeof decode>) => {
  if (decoded.kind !== 'event') throw new Error(`quarantined: ${decoded.quarantined.reason}`);
  return decoded;
};
const refusalOf = (decoded: ReturnType<typeof decode>) => {
  if (decoded.kind !== 'quarantined') throw new Error('not quarantined');
  return decoded.quarantined;
};

describe('a message of the JOBS stream', () => {
  it('is an event when it carries what identifies it', () => {
    const { stored, droppedFields } = eventOf(decodeBody({ maxTries: 3 }));
    expect(stored).toMatchObject({ sequence: 7, event: { jobId: 'J1', maxTries: 3, payload: { sku: 'x' } } });
    expect(droppedFields).toEqual([]);
  });

  it('keeps unknown fields', () => {
    expect(eventOf(decodeBody({ shard: 4 })).stored.event.shard).toBe(4);
  });

  it.each(['jobId', 'service', 'jobType', 'eventType', 'state', 'timestamp', 'context', 'tries', 'payload'])(
    'goes to quarantine without %s, and the reason names the field',
    (field) => {
      const refused = refusalOf(decodeBody({ [field]: undefined }));
      expect(refused.code).toBe('missing-field');
      expect(refused.reason).toContain(field);
    },
  );

  it.each(['requestId', 'traceId', 'traceparent'])('goes to quarantine without context.%s', (field) => {
    const context = { ...body().context, [field]: undefined };
    expect(refusalOf(decodeBody({ context }))).toMatchObject({
      code: 'missing-field',
      reason: expect.stringContaining(field),
    });
  });

  it.each([
    ['timestamp', 'yesterday'],
    ['timestamp', '2026-02-30T00:00:00.000Z'],
    ['timestamp', '0000-01-01T00:00:00Z'],
    ['timestamp', 0],
    ['tries', -1],
    ['tries', 1.5],
    ['tries', 2 ** 31],
    ['state', 'running'],
    ['context', 'none'],
  ])('goes to quarantine when %s is %j: an unreadable fact is never guessed', (field, value) => {
    expect(refusalOf(decodeBody({ [field]: value }))).toMatchObject({
      code: 'bad-field',
      reason: expect.stringContaining(field),
    });
  });

  it('goes to quarantine when the body contradicts the subject', () => {
    for (const field of ['service', 'jobType', 'jobId']) {
      expect(refusalOf(decodeBody({ [field]: 'other' }))).toMatchObject({ code: 'subject-mismatch' });
    }
    expect(refusalOf(decodeBody({ eventType: 'started' })).code).toBe('subject-mismatch');
  });

  it('goes to quarantine when its event is unknown', () => {
    expect(refusalOf(decodeBody({}, 'trellis.jobs.orders-service.charge.J1.exploded')).code).toBe('unknown-event');
  });

  it.each(['', 'not json', '[1]', '"text"', 'null', '{"jobId":'])('goes to quarantine when its body is %j', (text) => {
    expect(['not-json', 'bad-field']).toContain(refusalOf(decode(text)).code);
  });

  it('goes to quarantine when it is no UTF-8, its bytes kept', () => {
    const data = new Uint8Array([0x7b, 0xff, 0x7d]);
    expect(refusalOf(decode(data))).toMatchObject({ code: 'not-json', data });
  });

  it.each([
    ['maxTries', 'many'],
    ['deadline', 'soon'],
    ['progress', 7],
    ['error', { message: 'x' }],
    ['concurrency', { key: 1 }],
    ['previousState', 'running'],
    ['logs', 'line'],
  ])('loses only the field when optional %s is %j', (field, value) => {
    const { stored, droppedFields } = eventOf(decodeBody({ [field]: value }));
    expect(droppedFields).toEqual([field]);
    expect(stored.event[field] ?? []).toEqual([]);
  });

  it('takes null in an optional field for absence', () => {
    const { stored, droppedFields } = eventOf(decodeBody({ error: null, deadline: null }));
    expect(stored.event.error).toBeUndefined();
    expect(droppedFields).toEqual([]);
  });

  it('keeps the good log lines beside a bad one', () => {
    const good = { timestamp: '2026-01-31T09:30:00.000Z', level: 'info', message: 'm' };
    expect(eventOf(decodeBody({ logs: [good, { level: 'loud' }] })).stored.event.logs).toEqual([good]);
  });

  it('reads any offset and precision of an instant as UTC milliseconds', () => {
    expect(eventOf(decodeBody({ timestamp: '2026-01-31T10:30:00.123456789+01:00' })).stored.event.timestamp).toBe(
      '2026-01-31T09:30:00.123Z',
    );
  });

  it('accepts a payload that is null', () => {
    expect(eventOf(decodeBody({ payload: null })).stored.event.payload).toBeNull();
  });
});

describe('the short way of reading', () => {
  const odd = fc.oneof(
    fc.constant(undefined),
    fc.constant(null),
    fc.string(),
    fc.integer(),
    fc.constant({}),
    fc.constant([]),
  );
  const field = fc.constantFrom('jobId', 'service', 'jobType', 'eventType', 'state', 'timestamp', 'context', 'tries');
  const timestamp = fc.constantFrom(
    '2026-02-29T00:00:00.000Z',
    '2024-02-29T00:00:00.000Z',
    '2026-04-31T23:59:59.999Z',
    '2026-01-28T24:00:00.000Z',
    '2026-13-01T00:00:00.000Z',
    '2026-01-01T00:60:00.000Z',
    '2026-01-01T00:00:60.000Z',
    '0000-01-01T00:00:00.000Z',
    '2026-01-31T10:30:00+01:00',
    '2026-01-31T10:30:00.5Z',
  );
  const mutated = fc.record({
    top: fc.dictionary(field, odd, { maxKeys: 2 }),
    context: fc.dictionary(fc.constantFrom('requestId', 'traceId', 'traceparent', 'tracestate'), odd, { maxKeys: 2 }),
    timestamp: fc.option(timestamp, { nil: undefined }),
  });

  it('takes exactly what the schema takes, and gives the same event', () => {
    fc.assert(
      fc.property(mutated, ({ top, context, timestamp }) => {
        const changed = { ...body(), ...(timestamp === undefined ? {} : { timestamp }), ...top };
        if (!('context' in top)) changed.context = { ...changed.context, ...context };
        const raw = JSON.parse(JSON.stringify(changed)) as Record<string, unknown>;
        const schema = z.looseObject(requiredEventFields).safeParse(structuredClone(raw));
        const same = (['jobId', 'service', 'jobType', 'eventType'] as const).every((one) => raw[one] === body()[one]);
        const decoded = decode(JSON.stringify(raw));
        expect(decoded.kind).toBe(schema.success && same ? 'event' : 'quarantined');
        if (decoded.kind === 'event') expect(decoded.stored.event).toEqual(schema.data);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('valid JSON that a store would refuse or change', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const withPayload = (json: string) =>
    JSON.stringify(body({ payload: 0 })).replace('"payload":0', `"payload":${json}`);

  it.each([
    ['a NUL character', '"a\\u0000b"', '22P05'],
    ['a NUL character in a field name', '{"a\\u0000b":1}', '22P05'],
    ['a lone surrogate', '"\\ud800"', '22P02'],
    ['a number beyond a double', '1e400', '22003'],
    ['a whole number beyond a double', '9'.repeat(400), '22003'],
    ['extreme nesting', nested(MAX_NESTING + 50), '54001'],
  ])('goes to quarantine with the store code: %s', (_what, json, storeCode) => {
    expect(refusalOf(decode(withPayload(json)))).toMatchObject({ code: 'unstorable', storeCode });
  });

  it.each([
    ['an escaped backslash before u0000', '"a\\\\u0000b"'],
    ['a surrogate pair', '"\\ud83d\\ude00"'],
    ['a large double', '1e300'],
    ['deep but bearable nesting', nested(MAX_NESTING - 10)],
    ['many brackets side by side', `[${Array(3000).fill('[]').join(',')}]`],
  ])('passes: %s', (_what, json) => {
    expect(decode(withPayload(json)).kind).toBe('event');
  });

  it('does not overflow the stack however deep it is', () => {
    expect(decode(withPayload(nested(200_000))).kind).toBe('quarantined');
  });

  it('goes to quarantine when the job id is too long to index', () => {
    const jobId = 'x'.repeat(MAX_JOB_ID_LENGTH + 1);
    expect(refusalOf(decodeBody({ jobId }, `trellis.jobs.orders-service.charge.${jobId}.created`)).storeCode).toBe(
      '54000',
    );
  });
});
