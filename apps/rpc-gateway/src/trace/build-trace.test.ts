import { ATTR, LINK, type TraceNode } from '@trellis/contracts';
import { describe, expect, it } from 'vitest';
import {
  createSpan,
  eventAt,
  LATE_TRACE,
  logAt,
  nameOf,
  processSpan,
  type SketchedJob,
  span,
  spanIdOf,
  startedAt,
  TRACE,
  waitSpan,
} from '../testing/trace-parts.ts';
import { buildTrace, MAX_NODES, type Picture } from './build-trace.ts';

const job: SketchedJob = { id: 'job-1', type: 'reserve', created: 'create' };
const payment: SketchedJob = { id: 'job-2', type: 'charge', created: 'create2' };

/** The tree as lines: indented by depth, the span by its id, marks behind it. */
const drawn = ({ nodes }: Picture): string[] =>
  nodes.map(({ depth, spanId, missing, running }: TraceNode) => {
    const name = /^[0-9a-f]{16}$/.test(spanId) ? nameOf(spanId) : spanId;
    return `${'  '.repeat(depth)}${name}${missing ? ' ?' : ''}${running ? ' …' : ''}`;
  });

const build = (
  jobs: Parameters<typeof buildTrace>[0]['jobs'],
  spans = [] as Parameters<typeof buildTrace>[0]['spans'],
) => buildTrace({ jobs, spans, logs: [] });

const created = eventAt(job, 'created', 0, { state: 'pending', payload: {}, maxTries: 5 });
const done = (atMs: number) => eventAt(job, 'completed', atMs, { state: 'completed', tries: 1 });

describe('when every span arrived', () => {
  const spans = [
    span('request', { to: 5 }),
    createSpan(job, { parent: 'request', from: 1, to: 3 }),
    waitSpan(job, 'wait1', 1, { parent: 'create', from: 3, to: 10 }),
    processSpan(job, 'proc1', 1, { parent: 'create', from: 10, to: 100 }),
    span('handler', { parent: 'proc1', from: 20, to: 90 }),
  ];

  it('the request is the root, and everything hangs where its span says', () => {
    const picture = build([[created, startedAt(job, 10, 'proc1', 1), done(100)]], spans);
    expect(drawn(picture)).toEqual(['request', '  create', '    wait1', '    proc1', '      handler']);
    expect(picture.traceIds).toEqual([TRACE]);
    expect(picture.truncated).toBe(false);
  });

  it('a node carries what its span says', () => {
    const [, , , attempt] = build([[created, startedAt(job, 10, 'proc1', 1), done(100)]], spans).nodes;
    expect(attempt).toEqual({
      traceId: TRACE,
      spanId: spanIdOf('proc1'),
      parentSpanId: spanIdOf('create'),
      depth: 2,
      name: 'process trellis.work.orders.reserve',
      kind: 'consumer',
      service: 'orders',
      startedAt: '2026-03-01T12:00:00.010Z',
      durationMs: 90,
      status: 'unset',
      attributes: {
        'trellis.job.id': 'job-1',
        'trellis.job.service': 'orders',
        'trellis.job.type': 'reserve',
        'trellis.job.attempt': '1',
        'messaging.operation.name': 'process',
        'service.instance.id': 'orders-1',
      },
      jobId: 'job-1',
    });
  });

  it('a span that was delivered to both sides is one node', () => {
    const picture = build([[created, startedAt(job, 10, 'proc1', 1)]], [...spans, ...spans]);
    expect(picture.nodes).toHaveLength(5);
  });
});

describe('when spans never arrived', () => {
  it('the creation and every attempt are there all the same, from the events', () => {
    const events = [
      created,
      startedAt(job, 10, 'proc1', 1),
      eventAt(job, 'retry', 30, { state: 'retry', tries: 1, error: 'no stock' }),
      startedAt(job, 50, 'proc2', 2),
      done(80),
    ];
    const picture = build([events]);
    expect(drawn(picture)).toEqual(['create ?', '  proc1 ?', '  proc2 ?']);
    expect(picture.nodes[1]).toMatchObject({
      name: 'process trellis.work.orders.reserve',
      kind: 'consumer',
      durationMs: 20,
      status: 'error',
      statusMessage: 'no stock',
      attributes: { [ATTR.jobAttempt]: '1', [ATTR.jobState]: 'retry' },
    });
    expect(picture.nodes[2]).toMatchObject({ durationMs: 30, status: 'unset', attributes: { [ATTR.jobAttempt]: '2' } });
  });

  it('what a killed worker had sent before keeps its place below the attempt that was lost', () => {
    const events = [created, startedAt(job, 10, 'proc1', 1), startedAt(job, 500, 'proc2', 2), done(600)];
    const spans = [
      span('request'),
      createSpan(job, { parent: 'request' }),
      span('query', { parent: 'proc1', from: 12 }),
      processSpan(job, 'proc2', 2, { parent: 'create', from: 500, to: 600 }),
    ];
    const picture = build([events], spans);
    expect(drawn(picture)).toEqual(['request', '  create', '    proc1 ?', '      query', '    proc2']);
    expect(picture.nodes[2]).toMatchObject({ status: 'error', statusMessage: expect.stringContaining('worker') });
  });

  it('an attempt that goes on is running, not missing', () => {
    expect(drawn(build([[created, startedAt(job, 10, 'proc1', 1)]], [createSpan(job)]))).toEqual([
      'create',
      '  proc1 …',
    ]);
  });

  it('a dead job whose worker was killed at its last attempt shows that', () => {
    const dead = eventAt(job, 'dead', 900, { state: 'dead', actor: { kind: 'janitor' }, error: 'out of attempts' });
    const [, attempt] = build([[created, startedAt(job, 10, 'proc1', 1), dead]]).nodes;
    expect(attempt).toMatchObject({ missing: true, status: 'error', statusMessage: expect.stringContaining('worker') });
  });

  it('without the root of the request the creation is the root', () => {
    const spans = [createSpan(job, { parent: 'request', from: 1 }), processSpan(job, 'proc1', 1, { parent: 'create' })];
    expect(drawn(build([[created, startedAt(job, 10, 'proc1', 1)]], spans))).toEqual(['create', '  proc1']);
  });

  it('spans that share a parent that was lost hang below one node for it', () => {
    const other: SketchedJob = { id: 'job-9', type: 'reserve', created: 'create9' };
    const spans = [
      createSpan(job, { parent: 'request', from: 5 }),
      createSpan(other, { parent: 'request', from: 3, to: 9 }),
      span('query', { parent: 'request', from: 1 }),
    ];
    const picture = build([[created]], spans);
    expect(drawn(picture)).toEqual(['request ?', '  query', '  create9', '  create']);
    expect(picture.nodes[0]).toMatchObject({ durationMs: 8 });
  });

  it('where a span is lost between the request and the creation, the request is the root', () => {
    const spans = [span('request', { to: 9 }), createSpan(job, { parent: 'lost', from: 2 })];
    expect(drawn(build([[created]], spans))).toEqual(['request', '  create']);
  });

  it('a span that names an attempt of its job hangs below it, one that names the job below the creation', () => {
    const events = [created, startedAt(job, 10, 'proc1', 1), done(90)];
    const spans = [
      createSpan(job),
      span('step', { parent: 'lost', from: 20, attributes: { [ATTR.jobId]: 'job-1', [ATTR.jobAttempt]: '1' } }),
      span('cancel', { trace: LATE_TRACE, parent: 'rpc', from: 95, attributes: { [ATTR.jobId]: 'job-1' } }),
    ];
    expect(drawn(build([events], spans))).toEqual(['create', '  proc1 ?', '    step', '  cancel']);
  });

  it('a span that names nothing hangs below the attempt that went on then, else below the root', () => {
    const events = [created, startedAt(job, 10, 'proc1', 1), done(90)];
    const spans = [
      createSpan(job),
      span('inside', { parent: 'lost1', from: 20 }),
      span('outside', { parent: 'lost2', from: 20, service: 'shop' }),
      span('after', { parent: 'lost3', from: 500 }),
    ];
    expect(drawn(build([events], spans))).toEqual(['create', '  proc1 ?', '    inside', '  outside', '  after']);
  });
});

describe('late attempts', () => {
  const events = [
    created,
    startedAt(job, 10, 'proc1', 1),
    eventAt(job, 'retry', 20, { state: 'retry', tries: 1 }),
    startedAt(job, 3_600_000, 'late', 2, LATE_TRACE),
    done(3_600_100),
  ];
  const spans = [
    span('request', { to: 5 }),
    createSpan(job, { parent: 'request', from: 1 }),
    processSpan(job, 'proc1', 1, { parent: 'create', from: 10 }),
    processSpan(job, 'late', 2, { trace: LATE_TRACE, from: 3_600_000, to: 3_600_100 }),
    waitSpan(job, 'wait2', 2, { parent: 'late', trace: LATE_TRACE, from: 40, to: 3_600_000 }),
    span('query', { parent: 'late', trace: LATE_TRACE, from: 3_600_050 }),
  ];

  it('in traces of their own hang below the creation that they are linked to', () => {
    const picture = build([events], spans);
    expect(drawn(picture)).toEqual(['request', '  create', '    proc1', '    late', '      wait2', '      query']);
    expect(picture.traceIds).toEqual([TRACE, LATE_TRACE]);
  });

  it('whose span was lost leave no second root', () => {
    const picture = build(
      [events],
      spans.filter(({ spanId }) => spanId !== spanIdOf('late')),
    );
    expect(drawn(picture)).toEqual(['request', '  create', '    proc1', '    late ?', '      wait2', '      query']);
  });
});

describe('jobs that a job makes', () => {
  const childEvents = [
    eventAt(payment, 'created', 50, { state: 'pending', payload: {} }),
    startedAt(payment, 60, 'proc2', 1),
    eventAt(payment, 'completed', 90, { state: 'completed', tries: 1 }),
  ];
  const events = [created, startedAt(job, 10, 'proc1', 1), done(100)];
  const childSpans = [
    createSpan(payment, { parent: 'proc1', from: 50 }),
    waitSpan(payment, 'wait2', 1, { parent: 'create2', from: 51, to: 60 }),
    processSpan(payment, 'proc2', 1, { parent: 'create2', from: 60, to: 90 }),
  ];

  it('hang below the attempt that made them, with their own waits and attempts', () => {
    const spans = [
      createSpan(job),
      processSpan(job, 'proc1', 1, { parent: 'create', from: 10, to: 100 }),
      ...childSpans,
    ];
    expect(drawn(build([events, childEvents], spans))).toEqual([
      'create',
      '  proc1',
      '    create2',
      '      wait2',
      '      proc2',
    ]);
  });

  it('hang below the lost attempt that made them', () => {
    expect(drawn(build([events, childEvents], [createSpan(job), ...childSpans]))).toEqual([
      'create',
      '  proc1 ?',
      '    create2',
      '      wait2',
      '      proc2',
    ]);
  });

  it('hang below the lost attempt that went on then, when their creation was lost with it', () => {
    const spans = [createSpan(job), ...childSpans.slice(1)];
    expect(drawn(build([events, childEvents], spans))).toEqual([
      'create',
      '  proc1 ?',
      '    create2 ?',
      '      wait2',
      '      proc2',
    ]);
  });

  it('a job that another one made shows that one above it', () => {
    const spans = [span('request'), createSpan(job, { parent: 'request' }), ...childSpans];
    expect(drawn(build([childEvents, events], spans))).toEqual([
      'request',
      '  create',
      '    proc1 ?',
      '      create2',
      '        wait2',
      '        proc2',
    ]);
  });

  it('made by a late attempt it shows the trace of the first request above it', () => {
    const lateChild: SketchedJob = { ...payment, trace: LATE_TRACE };
    const late = [created, startedAt(job, 3_600_000, 'late', 1, LATE_TRACE), done(3_600_100)];
    const child = [eventAt(lateChild, 'created', 3_600_050, { state: 'pending', payload: {} })];
    const spans = [
      span('request'),
      createSpan(job, { parent: 'request' }),
      processSpan(job, 'late', 1, { trace: LATE_TRACE, from: 3_600_000, to: 3_600_100 }),
      createSpan(lateChild, { parent: 'late', from: 3_600_050 }),
    ];
    const picture = build([child, late], spans);
    expect(drawn(picture)).toEqual(['request', '  create', '    late', '      create2']);
    expect(picture.traceIds).toEqual([LATE_TRACE, TRACE]);
  });

  it('an attempt that met a child which existed already shows that, and takes it from nobody', () => {
    const again = createSpan(
      { ...payment, created: 'again' },
      {
        parent: 'proc2nd',
        from: 210,
        attributes: { [ATTR.jobCreated]: 'false' },
        links: [{ span: 'create2', kind: LINK.job }],
      },
    );
    const twice = [created, startedAt(job, 10, 'proc1', 1), startedAt(job, 200, 'proc2nd', 2), done(300)];
    const spans = [createSpan(job), ...childSpans, again];
    expect(drawn(build([twice, childEvents], spans))).toEqual([
      'create',
      '  proc1 ?',
      '    create2',
      '      wait2',
      '      proc2',
      '  proc2nd ?',
      '    again',
    ]);
  });
});

describe('contexts that name another span than the creation', () => {
  const explicit: SketchedJob = { ...job, created: 'caller' };
  const events = [
    eventAt(explicit, 'created', 5, { state: 'pending', payload: {} }),
    startedAt(explicit, 10, 'proc1', 1),
  ];

  it('a creation below a span that its creator named: attempts hang below the creation', () => {
    const spans = [
      span('caller'),
      createSpan({ ...job, created: 'create' }, { parent: 'caller', from: 5 }),
      processSpan(explicit, 'proc1', 1, { parent: 'caller', from: 10 }),
    ];
    expect(drawn(build([events], spans))).toEqual(['caller', '  create', '    proc1']);
  });

  it('a creation whose span was lost hangs below the span that it names', () => {
    expect(drawn(build([events], [span('caller')]))).toEqual(['caller', '  created-job-1 ?', '    proc1 …']);
  });

  it('jobs of services without tracing share a context, and keep nodes of their own', () => {
    const second = [eventAt({ ...payment, created: 'create' }, 'created', 20, { state: 'pending', payload: {} })];
    const picture = build([[created, startedAt(job, 10, undefined, 1), done(30)], second]);
    expect(drawn(picture)[0]).toBe('create ?');
    expect(picture.nodes.map(({ jobId }) => jobId)).toEqual(['job-1', 'job-1', 'job-2']);
    expect(picture.nodes.filter(({ depth }) => depth === 0)).toHaveLength(1);
  });
});

it('an unreadable traceparent still gives a picture', () => {
  const odd = eventAt(job, 'created', 0, { context: { requestId: 'r', traceId: 'none', traceparent: 'none' } });
  const picture = build([[odd, startedAt(job, 10, undefined, 1)]]);
  expect(picture.nodes.map(({ name, depth }) => [name, depth])).toEqual([
    ['create trellis.work.orders.reserve', 0],
    ['process trellis.work.orders.reserve', 1],
  ]);
});

it('where spans could not be read nothing is called missing', () => {
  const picture = buildTrace({
    jobs: [[created, startedAt(job, 10, 'proc1', 1), done(9)]],
    spans: [],
    logs: [],
    eventsOnly: true,
  });
  expect(drawn(picture)).toEqual(['create', '  proc1']);
});

it('spans that hang below one another in a circle are shown once, below the one root', () => {
  const spans = [
    createSpan(job),
    span('a', { parent: 'b', from: 3 }),
    span('b', { parent: 'a', from: 2 }),
    span('self', { parent: 'self', from: 4 }),
  ];
  const picture = build([[created]], spans);
  expect(picture.nodes.map(({ spanId }) => nameOf(spanId)).sort()).toEqual(['a', 'b', 'create', 'self']);
  expect(picture.nodes.filter(({ depth }) => depth === 0)).toHaveLength(1);
});

it('attempts of a second run count from 1 again and hang where they belong', () => {
  const events = [
    created,
    startedAt(job, 10, 'proc1', 1),
    eventAt(job, 'failed', 20, { state: 'failed', tries: 1, error: 'no' }),
    eventAt(job, 'retried', 30, { state: 'pending', tries: 0, payload: {} }),
    startedAt(job, 40, 'again', 1),
    done(60),
  ];
  const spans = [
    createSpan(job),
    span('step', { parent: 'lost', from: 45, attributes: { [ATTR.jobId]: 'job-1', [ATTR.jobAttempt]: '1' } }),
  ];
  const picture = build([events], spans);
  expect(drawn(picture)).toEqual(['create', '  proc1 ?', '  again ?', '    step']);
  expect(picture.nodes[2]?.attributes[ATTR.jobAttempt]).toBe('1');
});

it('more nodes than a picture may hold are cut off at its end, and it says so', () => {
  const many = Array.from({ length: MAX_NODES + 5 }, (_, n) => span(`s${n}`, { parent: 'create', from: n }));
  const picture = build([[created]], [createSpan(job), ...many]);
  expect(picture.nodes).toHaveLength(MAX_NODES);
  expect(picture.truncated).toBe(true);
});

describe('log lines', () => {
  const line = (atMs: number, message: string) => ({
    timestamp: new Date(Date.parse(created.event.timestamp) + atMs).toISOString(),
    level: 'info' as const,
    message,
  });
  const events = [
    created,
    startedAt(job, 10, 'proc1', 1),
    eventAt(job, 'logged', 21, { logs: [line(20, 'kept in the job'), line(21, 'in both')] }),
    done(90),
  ];

  it('of the events and of the store come together by time, each once', () => {
    const logs = [
      logAt(21, 'in both', { spanId: spanIdOf('proc1'), attributes: { [ATTR.jobId]: 'job-1' } }),
      logAt(5, 'of the request', { spanId: spanIdOf('request'), severityText: '', severityNumber: 17 }),
      logAt(95, 'of the janitor', { traceId: '', attributes: { [ATTR.jobId]: 'job-1' }, service: 'janitor' }),
    ];
    const picture = buildTrace({
      jobs: [events],
      spans: [span('request'), createSpan(job, { parent: 'request' })],
      logs,
    });
    expect(picture.logs.map(({ message, level, spanId }) => [message, level, spanId && nameOf(spanId)])).toEqual([
      ['of the request', 'error', 'request'],
      ['kept in the job', 'info', 'proc1'],
      ['in both', 'info', 'proc1'],
      ['of the janitor', 'info', 'create'],
    ]);
    expect(picture.logs[1]).toEqual({
      timestamp: '2026-03-01T12:00:00.020Z',
      level: 'info',
      service: 'orders',
      message: 'kept in the job',
      traceId: TRACE,
      spanId: spanIdOf('proc1'),
      jobId: 'job-1',
    });
  });

  it('of a span that never arrived belong to the attempt that they name, else to the root', () => {
    const logs = [
      logAt(30, 'inner', { spanId: spanIdOf('lost'), attributes: { [ATTR.jobId]: 'job-1', [ATTR.jobAttempt]: '1' } }),
      logAt(31, 'outer', { spanId: spanIdOf('lost') }),
    ];
    const picture = buildTrace({ jobs: [events], spans: [createSpan(job)], logs });
    const places = picture.logs
      .filter(({ message }) => message.endsWith('er'))
      .map(({ spanId }) => nameOf(spanId ?? ''));
    expect(places).toEqual(['proc1', 'create']);
  });
});
