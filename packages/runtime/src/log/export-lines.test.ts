import { context, ROOT_CONTEXT, SeverityNumber } from '@opentelemetry/api';
import { contextOf } from '@trellis/instrumentation';
import { recordTelemetry } from '@trellis/test-support';
import pino from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { exportLines } from './export-lines.ts';
import { createLogger } from './logger.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const OTHER = 'a'.repeat(32);
const inSpan = contextOf(`00-${TRACE_ID}-00f067aa0ba902b7-01`);

const recorded = recordTelemetry();
beforeEach(() => recorded.reset());

/** Logs as the process does, and what came to standard output. */
function logged(write: (log: pino.Logger) => void, from = ROOT_CONTEXT): Record<string, unknown> {
  const lines: string[] = [];
  const log = createLogger({ name: 'test', instanceId: 'i-1' }, { write: (line) => void lines.push(line) });
  context.with(from, () => write(log));
  const [line = ''] = lines;
  // A name that stands twice in a line would be read differently by different readers.
  expect(line.match(/"traceId":/g)?.length ?? 0).toBeLessThanOrEqual(1);
  return JSON.parse(line);
}

test('a line within a span carries the span, and is exported with it', () => {
  const line = logged(
    (log) => log.warn({ jobId: 'j', service: 's', jobType: 't', requestId: 'r', n: 3 }, 'text'),
    inSpan,
  );
  expect(line).toMatchObject({ traceId: TRACE_ID, spanId: '00f067aa0ba902b7', message: 'text', jobId: 'j' });
  const [record] = recorded.logRecords();
  expect(record).toMatchObject({ body: 'text', severityText: 'warn', severityNumber: SeverityNumber.WARN });
  expect(record?.spanContext).toMatchObject({ traceId: TRACE_ID, spanId: '00f067aa0ba902b7' });
  expect(record?.attributes).toEqual({
    'trellis.job.id': 'j',
    'trellis.job.service': 's',
    'trellis.job.type': 't',
    'trellis.request.id': 'r',
    n: 3,
  });
});

test.each([
  ['in the line', (log: pino.Logger) => log.info({ traceId: OTHER }, 'text')],
  ['of the logger', (log: pino.Logger) => log.child({ traceId: OTHER }).info('text')],
])('a trace id %s stays, and is exported as an attribute where it is another than the span’s', (_where, write) => {
  expect(logged(write, inSpan)).toMatchObject({ traceId: OTHER, spanId: '00f067aa0ba902b7' });
  const [record] = recorded.logRecords();
  expect(record?.spanContext?.traceId).toBe(TRACE_ID);
  expect(record?.attributes).toEqual({ 'trellis.trace.id': OTHER });
});

test('a line outside of any span has no span, and names the trace of its job', () => {
  expect(logged((log) => log.info({ traceId: OTHER }, 'text'))).not.toHaveProperty('spanId');
  const [record] = recorded.logRecords();
  expect(record?.spanContext).toBeUndefined();
  expect(record?.attributes).toEqual({ 'trellis.trace.id': OTHER });
});

test('what is redacted in the line is redacted in what is exported; errors are exceptions', () => {
  logged((log) => log.error({ password: 'secret', error: new TypeError('broken') }, 'text'));
  const [record] = recorded.logRecords();
  expect(record?.attributes).toMatchObject({
    password: '[redacted]',
    'exception.type': 'TypeError',
    'exception.message': 'broken',
  });
  expect(record?.attributes['exception.stacktrace']).toContain('export-lines.test.ts');
});

test('lines below the level of the log are not exported', () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, exportLines({ write: (line) => void lines.push(line) }));
  log.debug('nobody reads this');
  expect(lines).toEqual([]);
  expect(recorded.logRecords()).toEqual([]);
});
