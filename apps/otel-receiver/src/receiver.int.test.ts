import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ReceiverProcess, startReceiver } from './testing/receiver-process.ts';
import { attribute, fixed32, fixed64, message, number, sized } from './testing/wire.ts';

let receiver: ReceiverProcess;
beforeAll(async () => {
  receiver = await startReceiver({ OTLP_MAX_REQUEST_BYTES: '65536' });
});
afterAll(() => receiver[Symbol.asyncDispose]());

const JSON_TYPE = { 'content-type': 'application/json' };
const START = BigInt(Date.now()) * 1_000_000n + 123_456n;
const END = START + 2_500_000_001n;
let count = 0;
const newTraceId = () => (++count).toString(16).padStart(32, 'a');
const hex = (text: string) => Buffer.from(text, 'hex');

/** As a client in another language sends it, with fields that are not known here. */
const tracesRequest = (traceId: string) =>
  message(
    sized(
      1,
      message(
        sized(1, message(sized(1, attribute('service.name', 'checkout')), sized(1, attribute('host.name', 'h1')))),
        sized(
          2,
          message(
            sized(1, message(sized(1, 'my-lib'), sized(2, '4.2.0'))),
            sized(
              2,
              message(
                sized(1, hex(traceId)),
                sized(2, hex('00f067aa0ba902b7')),
                sized(3, 'vendor=1'),
                sized(4, hex('53995c3f42cd8ad8')),
                sized(5, 'GET /orders'),
                number(6, 2),
                fixed64(7, START),
                fixed64(8, END),
                sized(9, attribute('http.method', 'GET')),
                sized(9, message(sized(1, 'retries'), sized(2, message(number(3, 3))))),
                number(10, 1),
                sized(
                  11,
                  message(fixed64(1, START + 5n), sized(2, 'exception'), sized(3, attribute('exception.type', 'E'))),
                ),
                sized(
                  13,
                  message(
                    sized(1, hex('cd'.repeat(16))),
                    sized(2, hex('ef'.repeat(8))),
                    sized(3, 'v=2'),
                    sized(4, attribute('trellis.link', 'creation')),
                    fixed32(6, 1),
                  ),
                ),
                sized(15, message(sized(2, 'it broke'), number(3, 2))),
                fixed32(16, 257),
                sized(99, 'a field of the future'),
              ),
            ),
            sized(3, 'https://opentelemetry.io/schemas/1.40.0'),
          ),
        ),
      ),
    ),
  );

const SPAN_ROW = {
  SpanId: '00f067aa0ba902b7',
  ParentSpanId: '53995c3f42cd8ad8',
  TraceState: 'vendor=1',
  SpanName: 'GET /orders',
  SpanKind: 'Server',
  ServiceName: 'checkout',
  ResourceAttributes: { 'service.name': 'checkout', 'host.name': 'h1' },
  ScopeName: 'my-lib',
  ScopeVersion: '4.2.0',
  SpanAttributes: { 'http.method': 'GET', retries: '3' },
  duration: '2500000001',
  start: String(START),
  StatusCode: 'Error',
  StatusMessage: 'it broke',
  'Events.Name': ['exception'],
  'Events.Attributes': [{ 'exception.type': 'E' }],
  eventTimes: [String(START + 5n)],
  'Links.TraceId': ['cd'.repeat(16)],
  'Links.SpanId': ['ef'.repeat(8)],
  'Links.TraceState': ['v=2'],
  'Links.Attributes': [{ 'trellis.link': 'creation' }],
};

const spanRows = (traceId: string) =>
  receiver.rows<Record<string, unknown>>(`SELECT * EXCEPT (TraceId, Timestamp, Duration, \`Events.Timestamp\`),
    toString(Duration) AS duration, toString(toUnixTimestamp64Nano(Timestamp)) AS start,
    arrayMap(t -> toString(toUnixTimestamp64Nano(t)), \`Events.Timestamp\`) AS eventTimes
    FROM otel_traces WHERE TraceId = '${traceId}' ORDER BY Timestamp`);

describe('spans', () => {
  it('as protobuf arrive with every field', async () => {
    const traceId = newTraceId();
    const response = await receiver.post('/v1/traces', tracesRequest(traceId));
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-protobuf']);
    expect((await response.bytes()).length).toBe(0);
    await expect.poll(() => spanRows(traceId)).toEqual([SPAN_ROW]);
  });

  it('as gzip of protobuf arrive as well', async () => {
    const traceId = newTraceId();
    const packed = gzipSync(tracesRequest(traceId));
    expect((await receiver.post('/v1/traces', packed, { 'content-encoding': 'gzip' })).status).toBe(200);
    await expect.poll(() => spanRows(traceId)).toHaveLength(1);
  });

  it('as JSON, with ids in hexadecimal digits of any case, arrive with every field', async () => {
    const traceId = newTraceId();
    const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    const span = {
      traceId: traceId.toUpperCase(),
      spanId: '00F067AA0BA902B7',
      parentSpanId: '53995c3f42cd8ad8',
      traceState: 'vendor=1',
      name: 'GET /orders',
      kind: 2,
      startTimeUnixNano: String(START),
      endTimeUnixNano: String(END),
      attributes: [text('http.method', 'GET'), { key: 'retries', value: { intValue: '3' } }],
      droppedAttributesCount: 0,
      events: [{ timeUnixNano: String(START + 5n), name: 'exception', attributes: [text('exception.type', 'E')] }],
      links: [
        {
          traceId: 'cd'.repeat(16),
          spanId: 'ef'.repeat(8),
          traceState: 'v=2',
          attributes: [text('trellis.link', 'creation')],
        },
      ],
      status: { code: 2, message: 'it broke' },
      ofTheFuture: { anything: [1] },
    };
    const resource = { attributes: [text('service.name', 'checkout'), text('host.name', 'h1')] };
    const body = {
      resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'my-lib', version: '4.2.0' }, spans: [span] }] }],
    };
    const response = await receiver.post('/v1/traces', JSON.stringify(body), JSON_TYPE);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await response.json()).toEqual({});
    await expect.poll(() => spanRows(traceId)).toEqual([SPAN_ROW]);
  });

  it('that cannot be found again are rejected and counted, and the others are kept', async () => {
    const traceId = newTraceId();
    const good = { traceId, spanId: '00f067aa0ba902b7', name: 'good', startTimeUnixNano: String(START) };
    const spans = [
      { ...good, spanId: '' },
      good,
      { ...good, traceId: '0'.repeat(32) },
      { ...good, startTimeUnixNano: '0' },
    ];
    const body = { resourceSpans: [{ scopeSpans: [{ spans }] }] };
    const response = await receiver.post('/v1/traces', JSON.stringify(body), JSON_TYPE);
    expect([response.status, await response.json()]).toEqual([
      200,
      { partialSuccess: { rejectedSpans: '3', errorMessage: expect.stringContaining('span_id: expected 8 bytes') } },
    ]);
    await expect
      .poll(() => spanRows(traceId))
      .toMatchObject([{ SpanName: 'good', SpanKind: 'Internal', StatusCode: 'Unset' }]);
    const inProtobuf = message(sized(1, message(sized(2, message(sized(2, message(sized(5, 'no ids'))))))));
    const answer = await (await receiver.post('/v1/traces', inProtobuf)).bytes();
    expect(Buffer.from(answer)).toEqual(
      Buffer.from(
        sized(1, message(number(1, 1), sized(2, 'trace_id: expected 16 bytes that are not all zero (span "no ids")'))),
      ),
    );
  });
});

describe('log records', () => {
  const logRow = (traceId: string) =>
    receiver.rows<Record<string, unknown>>(`SELECT * EXCEPT (TraceId, Timestamp, TimestampTime),
      toString(toUnixTimestamp64Nano(Timestamp)) AS time FROM otel_logs WHERE TraceId = '${traceId}'`);

  it('arrive with every field, the observed time where there is no other', async () => {
    const traceId = newTraceId();
    const record = message(
      fixed64(11, START),
      number(2, 13),
      sized(3, 'WARN'),
      sized(5, message(sized(1, 'shelf empty'))),
      sized(6, attribute('trellis.job.id', 'job-1')),
      fixed32(8, 1),
      sized(9, hex(traceId)),
      sized(10, hex('00f067aa0ba902b7')),
      sized(12, 'stock.low'),
    );
    const request = message(
      sized(
        1,
        message(
          sized(1, message(sized(1, attribute('service.name', 'stock')))),
          sized(
            2,
            message(
              sized(1, message(sized(1, 'pino'), sized(2, '9'), sized(3, attribute('a', 'b')))),
              sized(2, record),
              sized(3, 'scope-url'),
            ),
          ),
          sized(3, 'resource-url'),
        ),
      ),
    );
    expect((await receiver.post('/v1/logs', request)).status).toBe(200);
    await expect
      .poll(() => logRow(traceId))
      .toEqual([
        {
          time: String(START),
          SpanId: '00f067aa0ba902b7',
          TraceFlags: 1,
          SeverityText: 'WARN',
          SeverityNumber: 13,
          ServiceName: 'stock',
          Body: 'shelf empty',
          ResourceSchemaUrl: 'resource-url',
          ResourceAttributes: { 'service.name': 'stock' },
          ScopeSchemaUrl: 'scope-url',
          ScopeName: 'pino',
          ScopeVersion: '9',
          ScopeAttributes: { a: 'b' },
          LogAttributes: { 'trellis.job.id': 'job-1' },
          EventName: 'stock.low',
        },
      ]);
  });

  it('with a body of structure are kept as JSON', async () => {
    const traceId = newTraceId();
    const body = { kvlistValue: { values: [{ key: 'n', value: { intValue: 7 } }] } };
    const request = {
      resourceLogs: [{ scopeLogs: [{ logRecords: [{ traceId, timeUnixNano: Number(START), body }] }] }],
    };
    expect((await receiver.post('/v1/logs', JSON.stringify(request), JSON_TYPE)).status).toBe(200);
    await expect.poll(() => logRow(traceId)).toMatchObject([{ Body: '{"n":7}' }]);
  });
});

it('metrics are taken', async () => {
  const response = await receiver.post(
    '/v1/metrics',
    message(sized(1, message(sized(2, message(sized(2, message(sized(7, message(sized(1, 'point')))))))))),
  );
  expect([response.status, (await response.bytes()).length]).toEqual([200, 0]);
});

describe('what is no request', () => {
  it.for<[string, string, string | Uint8Array, Record<string, string>, number]>([
    ['protobuf that is none', '/v1/traces', Buffer.from('garbage, garbage'), {}, 400],
    ['a message that is cut off', '/v1/traces', tracesRequest('ab'.repeat(16)).subarray(0, 100), {}, 400],
    ['JSON that is none', '/v1/logs', '{"resourceLogs":', JSON_TYPE, 400],
    ['JSON of another shape', '/v1/traces', '{"resourceSpans": 7}', JSON_TYPE, 400],
    ['JSON without bottom', '/v1/logs', `{"resourceLogs":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, JSON_TYPE, 400],
    ['gzip that is none', '/v1/traces', Buffer.from('plain'), { 'content-encoding': 'gzip' }, 400],
    ['too much', '/v1/traces', Buffer.alloc(65_537), {}, 413],
    ['too much once unpacked', '/v1/traces', gzipSync(Buffer.alloc(1_000_000)), { 'content-encoding': 'gzip' }, 413],
    ['another compression', '/v1/traces', Buffer.alloc(1), { 'content-encoding': 'br' }, 415],
    ['another kind of content', '/v1/traces', 'text', { 'content-type': 'text/plain' }, 415],
    ['another path', '/v1/profiles', Buffer.alloc(0), {}, 404],
  ])('%s is refused', async ([, path, body, headers, status]) => {
    const response = await receiver.post(path, body, headers);
    expect(response.status).toBe(status);
    if (headers === JSON_TYPE) expect(await response.json()).toMatchObject({ code: 3, message: expect.any(String) });
  });

  it('another method is refused', async () => {
    expect((await fetch(`${receiver.url}/v1/traces`)).status).toBe(405);
  });
});
