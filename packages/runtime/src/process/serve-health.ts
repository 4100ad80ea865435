// GET /live, /ready and /metrics of one process.
import { createServer, type Server } from 'node:http';
import { sleep } from '@trellis/async';
import type { ComponentTelemetry } from '../config/telemetry-settings.ts';

/** Throws (or rejects) with the reason while the component is not ready. */
export type ReadinessCheck = () => Promise<void> | void;

const CHECK_TIMEOUT_MS = 3_000;

/** The checks that fail now, each with its reason. A check without a result after 3 s fails. */
export async function failingChecks(checks: ReadonlyMap<string, ReadinessCheck>): Promise<Record<string, string>> {
  const results = await Promise.all(
    [...checks].map(async ([check, run]) => {
      const timer = new AbortController();
      const timeout = sleep(CHECK_TIMEOUT_MS, timer.signal).then(() => {
        throw new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`);
      });
      timeout.catch(() => undefined);
      try {
        await Promise.race([run(), timeout]);
        return undefined;
      } catch (error) {
        return [check, error instanceof Error ? error.message : String(error)] as const;
      } finally {
        timer.abort();
      }
    }),
  );
  return Object.fromEntries(results.filter((result) => result !== undefined));
}

/** Serves the three paths; resolves when the server listens. `failing` names what is not ready. */
export function serveHealth(
  port: number,
  host: string,
  failing: () => Promise<Record<string, string>>,
  telemetry: ComponentTelemetry | undefined,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = request.url?.split('?')[0];
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    if (path === '/live') return answer(200, { status: 'live' });
    if (path === '/metrics' && telemetry) return telemetry.metrics(request, response);
    if (path !== '/ready') return answer(404, { status: 'not found', paths: ['/live', '/ready', '/metrics'] });
    const reasons = await failing();
    const ready = Object.keys(reasons).length === 0;
    answer(ready ? 200 : 503, ready ? { status: 'ready' } : { status: 'not ready', reasons });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}
