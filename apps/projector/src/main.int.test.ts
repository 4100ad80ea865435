import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { connectNats, JobStream } from '@trellis/nats';
import { JobReader, openPostgres } from '@trellis/store-postgres';
import { freshPostgres, startTestNats, waitFor } from '@trellis/test-support';
import { describe, expect, it } from 'vitest';
import { event, subjectOf } from './testing/sample-event.ts';

interface Started extends AsyncDisposable {
  process: ChildProcess;
  /** Of its health server; resolves when it is known. */
  port: Promise<number>;
  ready(): Promise<{ status: number; body: Record<string, unknown> }>;
}

/** The projector as its own process, as it is run for real. */
function startProjector(env: Record<string, string>): Started {
  const child = spawn(process.execPath, [new URL('./main.ts', import.meta.url).pathname], {
    env: { PATH: process.env.PATH, PIPELINES: 'current', HEALTH_PORT: '0', HEALTH_HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = Promise.withResolvers<number>();
  port.promise.catch(() => undefined);
  child.once('exit', (code) => port.reject(new Error(`the projector ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as { message: string; port?: number };
    if (entry.port !== undefined) port.resolve(entry.port);
  });
  return {
    process: child,
    port: port.promise,
    async ready() {
      const response = await fetch(`http://127.0.0.1:${await port.promise}/ready`);
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('the projector as a process', () => {
  it('makes what it needs, projects, is ready, and stops when it is told to', async () => {
    await using nats = await startTestNats();
    await using database = await freshPostgres();
    await using projector = startProjector({ NATS_URL: nats.url, DATABASE_URL: database.url });
    await waitFor(async () => (await projector.ready()).status === 200, {
      what: 'the projector to be ready',
      timeoutMs: 20_000,
    });
    const nc = await connectNats({ url: nats.url, name: 'test' });
    const stream = await JobStream.open(nc);
    const created = event('J1', 'created');
    await stream.js.publish(subjectOf(created), JSON.stringify(created));
    await using postgres = openPostgres({ url: database.url });
    await waitFor(() => new JobReader(postgres).getJob('J1'), { what: 'the job to be projected' });
    await nc.close();

    const ended = once(projector.process, 'exit');
    projector.process.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    const { rows } = await postgres.query('select lease_until <= clock_timestamp() as free from pipelines');
    expect(rows).toEqual([{ free: true }]);
  });

  it('waits for a database that is not there, says that it is not ready, and goes on when it comes', async () => {
    await using nats = await startTestNats();
    await using server = await freshPostgres();
    const late = `${server.database}_late`;
    const url = new URL(server.url);
    url.pathname = `/${late}`;
    await using postgres = openPostgres({ url: server.url });
    await using projector = startProjector({ NATS_URL: nats.url, DATABASE_URL: url.href });
    const { body } = await waitFor(
      async () => {
        const { status, body } = await projector.ready();
        const reasons = body.reasons as Record<string, string> | undefined;
        return status === 503 && reasons?.current !== undefined && { body };
      },
      { what: 'the pipeline to fail', timeoutMs: 20_000 },
    );
    expect(body).toMatchObject({ status: 'not ready', reasons: { postgres: expect.stringContaining(late) } });
    expect(projector.process.exitCode).toBeNull();
    await postgres.query(`create database ${late}`);
    try {
      await waitFor(async () => (await projector.ready()).status === 200, {
        what: 'the projector to be ready',
        timeoutMs: 20_000,
      });
    } finally {
      await projector[Symbol.asyncDispose]();
      await postgres.query(`drop database ${late} with (force)`);
    }
  });
});
