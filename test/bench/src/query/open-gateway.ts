// A gateway on one filled schema, and what it is compared with: SQL on a separate connection, an echo over NATS.
import { join } from 'node:path';
import { createClient, type JobsClient } from '@trellis/client';
import { connectNats, provision } from '@trellis/nats';
import { openPostgres } from '@trellis/store-postgres';
import pg from 'pg';
import type { BenchStack } from '../bench-stack.ts';
import { startTask } from '../run-task.ts';
import type { EchoTask } from './echo-service.ts';
import { type ListQuery, listQueries, readSamples, type Samples } from './list-queries.ts';

const ECHO_SUBJECT = 'bench.echo';

export interface OpenGateway extends AsyncDisposable {
  client: JobsClient;
  samples: Samples;
  queries: ListQuery[];
  echoSubject: string;
  /** Runs the SQL of a query, prepared on first use. */
  sql(query: ListQuery, turn: number): Promise<unknown>;
  /** A round trip over NATS with a reply of this many bytes. */
  echo(bytes: number): Promise<unknown>;
}

/** @param natsUrl a separate server, if another gateway uses that of the stack */
export async function openGateway(stack: BenchStack, schema: string, natsUrl = stack.urls.nats): Promise<OpenGateway> {
  await using opened = new AsyncDisposableStack();
  const { postgres: url } = stack.urls;
  const nc = opened.adopt(await connectNats({ url: natsUrl, name: 'bench' }), (connection) => connection.close());
  await provision(nc);
  await stack.start('rpc-gateway', { DATABASE_SCHEMA: schema, NATS_URL: natsUrl });
  const client = opened.use(await createClient({ url: natsUrl }));
  const postgres = opened.use(openPostgres({ url, schema, maxConnections: 1 }));
  const connection = opened.adopt(
    new pg.Client({ connectionString: url, options: `-c search_path=${schema} -c timezone=UTC` }),
    (own) => own.end(),
  );
  await connection.connect();
  const echoTask: EchoTask = { url: natsUrl, subject: ECHO_SUBJECT };
  opened.use(await startTask(join(import.meta.dirname, 'echo-service.ts'), echoTask));
  const samples = await readSamples(postgres, client);
  const kept = opened.move();
  return {
    client,
    samples,
    queries: listQueries(samples),
    echoSubject: ECHO_SUBJECT,
    sql: ({ name, sql, values }, turn) => connection.query({ name, text: sql, values: values(turn) }),
    echo: (bytes) => nc.request(ECHO_SUBJECT, String(bytes)),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
