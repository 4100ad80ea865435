import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type CollectedSpan, freshPostgres, type OtlpCollector, startOtlpCollector } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const program = fileURLToPath(new URL('testing/traced-program.ts', import.meta.url));

const postgres = await freshPostgres();
const carried: Record<string, unknown> = {};
const web = createServer((request, response) => {
  carried[request.url?.split('?')[0] ?? ''] = request.headers.traceparent;
  response.end('ok');
});
await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
afterAll(async () => {
  web.close();
  await postgres[Symbol.asyncDispose]();
});

describe.each(['libraries', 'telemetry'])('a program that imports its %s first', (first) => {
  let collector: OtlpCollector;
  let work: CollectedSpan;
  const below = (name: RegExp) =>
    collector.spans.filter((span) => name.test(span.name) && span.parentSpanId === work.spanId);

  beforeAll(async () => {
    collector = await startOtlpCollector();
    const { port } = web.address() as AddressInfo;
    await run(process.execPath, [program, collector.url, postgres.url, `http://127.0.0.1:${port}`, first]);
    const found = collector.spans.find(({ name }) => name === 'work');
    if (!found) throw new Error(`no span "work" among ${collector.spans.map(({ name }) => name).join(', ')}`);
    work = found;
  });
  afterAll(() => collector.stop());

  test('exports its spans with what it is', () => {
    expect(work.resource).toMatchObject({
      'service.name': 'traced-program',
      'service.version': '1.2.3',
      'service.instance.id': 'instance-1',
      'trellis.telemetry.schema': 'trellis-1',
    });
    expect(collector.lastHeaders.authorization).toBe('Bearer secret');
  });

  test('has statements of pg in its trace, without the values, and none outside of a span', () => {
    const statements = collector.spans.filter(({ name }) => name.startsWith('pg'));
    expect(statements.map(({ name }) => name)).toEqual(['pg.query:SELECT']);
    expect(statements[0]?.parentSpanId).toBe(work.spanId);
    expect(statements[0]?.attributes['db.query.text']).toContain('select $1::text');
    expect(JSON.stringify(statements)).not.toContain('a secret value');
  });

  test('has its outgoing HTTP requests in its trace, without what they ask with, and hands the trace on', () => {
    const requests = below(/^GET/);
    expect(requests.map(({ kind }) => kind)).toEqual([3, 3]);
    expect(requests.map(({ attributes }) => new URL(String(attributes['url.full'])).pathname).sort()).toEqual([
      '/fetched',
      '/got',
    ]);
    expect(JSON.stringify(requests)).not.toContain('secret');
    for (const path of ['/fetched', '/got']) expect(carried[path]).toContain(work.traceId);
  });

  test('exports its metrics by OTLP, and none but its own', () => {
    expect([...collector.metricNames]).toEqual(['trellis.presence.writes']);
  });

  test('exports its log, in the trace it was written in or belongs to', () => {
    const inside = collector.logs.find(({ body }) => body === 'worked');
    expect(inside).toMatchObject({ severity: 'info', traceId: work.traceId, spanId: work.spanId });
    expect(inside?.attributes).toMatchObject({
      'trellis.job.id': 'job-1',
      'trellis.job.service': 'orders',
      'trellis.job.type': 'charge',
    });
    const outside = collector.logs.find(({ body }) => body === 'outside of any span');
    expect(outside).toMatchObject({ severity: 'warn', traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '' });
  });
});

describe('a collector that is away', () => {
  test('costs the process nothing but its telemetry: it works, says so once, and ends in time', async () => {
    const { port } = web.address() as AddressInfo;
    const args = [program, 'http://127.0.0.1:9', postgres.url, `http://127.0.0.1:${port}`, 'libraries'];
    const { stdout } = await run(process.execPath, args);
    expect(stdout).toContain('"message":"worked"');
    expect(stdout.match(/telemetry is lost/g)).toHaveLength(1);
  });
});
