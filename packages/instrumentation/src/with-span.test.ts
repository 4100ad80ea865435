import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { recordTelemetry } from '@trellis/test-support';
import { afterEach, expect, test } from 'vitest';
import { contextOf } from './trace-context.ts';
import { errorTypeOf, withSpan } from './with-span.ts';

const recorded = recordTelemetry();
afterEach(() => recorded.reset());

test('the work runs with its span as the active one, and the span ends after it', async () => {
  const spanId = await withSpan('test', 'outer', { kind: SpanKind.CONSUMER }, async (span) => {
    await Promise.resolve();
    expect(trace.getActiveSpan()).toBe(span);
    expect(recorded.spans()).toEqual([]);
    return span.spanContext().spanId;
  });
  expect(recorded.spans()).toMatchObject([{ name: 'outer', kind: SpanKind.CONSUMER }]);
  expect(recorded.spans()[0]?.spanContext().spanId).toBe(spanId);
});

test('what the work throws makes the span an error and is thrown on', async () => {
  const failing = withSpan('test', 'failing', {}, () => {
    throw new TypeError('no such thing');
  });
  await expect(failing).rejects.toThrow('no such thing');
  const [span] = recorded.spans();
  expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no such thing' });
  expect(span?.attributes['error.type']).toBe('TypeError');
  expect(span?.events.map(({ name }) => name)).toEqual(['exception']);
});

test('a given parent goes before the active span', async () => {
  const parent = contextOf('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
  await withSpan('test', 'outer', {}, () => withSpan('test', 'inner', { parent }, () => undefined));
  expect(recorded.spans()[0]?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
});

test('the type of an error is its code, else its name', () => {
  expect(errorTypeOf(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))).toBe('ECONNRESET');
  expect(errorTypeOf(new RangeError('far'))).toBe('RangeError');
  expect(errorTypeOf('text')).toBe('unknown');
});
