import { headers } from '@nats-io/transport-node';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { LINK } from '@trellis/contracts';
import { expect, test } from 'vitest';
import { contextOf, extractHeaders, injectHeaders, linkTo, spanContextOf, traceparentOf } from './trace-context.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;

test('a traceparent becomes a remote span context and the same traceparent again', () => {
  const spanContext = spanContextOf(TRACEPARENT, 'vendor=1');
  expect(spanContext).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, isRemote: true });
  expect(spanContext?.traceState?.serialize()).toBe('vendor=1');
  expect(spanContext && traceparentOf(spanContext)).toBe(TRACEPARENT);
});

test.each([
  ['nothing', undefined],
  ['an empty text', ''],
  ['no trace', `00-${'0'.repeat(32)}-${SPAN_ID}-01`],
  ['no span', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
  ['upper case', TRACEPARENT.toUpperCase()],
  ['the forbidden version', `ff-${TRACE_ID}-${SPAN_ID}-01`],
  ['more fields than version 00 has', `${TRACEPARENT}-00`],
])('%s is no span context', (_what, traceparent) => {
  expect(spanContextOf(traceparent)).toBeUndefined();
  expect(contextOf(traceparent)).toBe(ROOT_CONTEXT);
  expect(linkTo(traceparent, LINK.job)).toBeUndefined();
});

test('a later version may have further fields', () => {
  expect(spanContextOf(`01-${TRACE_ID}-${SPAN_ID}-01-more`)?.spanId).toBe(SPAN_ID);
});

test('a link says why it is there', () => {
  expect(linkTo(TRACEPARENT, LINK.creation)).toMatchObject({
    context: { traceId: TRACE_ID, spanId: SPAN_ID },
    attributes: { 'trellis.link': 'creation' },
  });
});

test('a context goes into headers and comes out of them, without any SDK', () => {
  const carried = headers();
  injectHeaders(carried, contextOf(TRACEPARENT, 'vendor=1'));
  expect(carried.get('traceparent')).toBe(TRACEPARENT);
  expect(carried.get('tracestate')).toBe('vendor=1');
  expect(trace.getSpanContext(extractHeaders(carried))).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID });
});

test('without a span the headers stay as they are', () => {
  const carried = headers();
  injectHeaders(carried, ROOT_CONTEXT);
  expect(carried.keys()).toEqual([]);
  expect(extractHeaders(undefined)).toBe(ROOT_CONTEXT);
});
