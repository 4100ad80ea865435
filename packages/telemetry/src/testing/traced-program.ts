// A program that works in one span, with libraries that were imported before its telemetry or after it: runs as a process of its
// own in tests. Arguments: OTLP endpoint, URL of Postgres, URL of an HTTP server, what is imported first.
import { SpanKind } from '@opentelemetry/api';
import { countMetric, withSpan } from '@trellis/instrumentation';
import { createLogger } from '@trellis/runtime';
import { startTelemetry } from '../index.ts';

const [otlpEndpoint = '', postgres = '', http = '', first] = process.argv.slice(2);
const importLibraries = () => Promise.all([import('pg'), import('node:http')]);
if (first === 'libraries') await importLibraries();
const telemetry = startTelemetry({
  serviceName: 'traced-program',
  serviceVersion: '1.2.3',
  instanceId: 'instance-1',
  otlpEndpoint,
  otlpHeaders: { authorization: 'Bearer secret' },
  metrics: { prometheus: false, otlp: true },
});
const [{ default: pg }, { get }] = await importLibraries();
const log = createLogger({ name: 'traced-program' });
const pool = new pg.Pool({ connectionString: postgres });

await pool.query('select 1');
await withSpan('test', 'work', { kind: SpanKind.INTERNAL }, async () => {
  await pool.query('-- Reads what it is given.\nselect $1::text as given', ['a secret value']);
  await fetch(`${http}/fetched?token=secret`);
  await new Promise<void>((resolve, reject) => {
    get(`${http}/got?token=secret`, (response) => response.resume().on('end', resolve)).on('error', reject);
  });
  log.info({ jobId: 'job-1', service: 'orders', jobType: 'charge' }, 'worked');
});
countMetric('trellis.presence.writes', {});
log.warn({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736' }, 'outside of any span');
await pool.end();
await telemetry.shutdown();
process.exit(0);
