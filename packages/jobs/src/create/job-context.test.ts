import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, context as otelContext, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import type { JobContext } from '@trellis/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ValidationError } from '../errors.ts';
import { contextForNewJob, withJobContext } from './job-context.ts';

const parent: JobContext = {
  requestId: 'request-1',
  traceId: 'a'.repeat(32),
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  tracestate: 'vendor=1',
};

it('without a parent every job starts a valid trace of its own', () => {
  const one = contextForNewJob(undefined);
  const two = contextForNewJob(undefined);
  expect(one.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(one.traceparent).toMatch(new RegExp(`^00-${one.traceId}-[0-9a-f]{16}-01$`));
  expect(one.traceId).not.toBe(two.traceId);
  expect(one.requestId).not.toBe(two.requestId);
});

it('an explicit parent is taken over as it is', () => {
  expect(contextForNewJob(parent)).toEqual(parent);
});

it('jobs that a handler creates belong to the trace and request of its job', async () => {
  await withJobContext(parent, async () => {
    await Promise.resolve();
    expect(contextForNewJob(undefined)).toEqual(parent);
  });
  expect(contextForNewJob(undefined).traceId).not.toBe(parent.traceId);
});

describe('a parent that is no valid context is refused by field', () => {
  it.each([
    ['context.requestId', { requestId: '' }],
    ['context.traceId', { traceId: '0'.repeat(32) }],
    ['context.traceId', { traceId: 'xyz' }],
    ['context.traceparent', { traceparent: 'nonsense' }],
    ['context.traceparent', { traceparent: `00-${'c'.repeat(32)}-${'b'.repeat(16)}-01` }],
  ])('%s %o', (field, changes) => {
    expect(() => contextForNewJob({ ...parent, ...changes })).toThrow(ValidationError);
    expect(() => contextForNewJob({ ...parent, ...changes })).toThrow(`${field}:`);
  });
});

describe('with an active span', () => {
  const active = new AsyncLocalStorage<Context>();
  beforeAll(() => {
    otelContext.setGlobalContextManager({
      active: () => active.getStore() ?? ROOT_CONTEXT,
      with: (context, run, self, ...args) => active.run(context, () => run.apply(self, args)),
      bind: (_context, target) => target,
      enable() {
        return this;
      },
      disable() {
        return this;
      },
    });
  });
  afterAll(() => otelContext.disable());

  it('a new job belongs to its trace', () => {
    const span = { traceId: 'd'.repeat(32), spanId: 'e'.repeat(16), traceFlags: TraceFlags.NONE };
    otelContext.with(trace.setSpanContext(ROOT_CONTEXT, span), () => {
      expect(contextForNewJob(undefined)).toMatchObject({
        traceId: 'd'.repeat(32),
        traceparent: `00-${'d'.repeat(32)}-${'e'.repeat(16)}-00`,
      });
      expect(withJobContext(parent, () => contextForNewJob(undefined))).toEqual(parent);
    });
  });
});
