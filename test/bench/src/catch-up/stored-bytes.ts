// Disk space of a drained backlog: in the stream and as rows of jobs.
import { connectNats, JobStream } from '@trellis/nats';
import { openPostgres } from '@trellis/store-postgres';
import type { BenchStack } from '../bench-stack.ts';

export interface StoredBytes {
  streamBytesAnEvent: number;
  /** Table of jobs with its indexes and out-of-line values. */
  postgresBytesAJob: number;
}

export async function storedBytes({ urls }: BenchStack, jobs: number): Promise<StoredBytes> {
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  await using postgres = openPostgres({ url: urls.postgres, maxConnections: 1 });
  try {
    const stream = await JobStream.open(nc);
    const { state } = await stream.jsm.streams.info(stream.names.jobs);
    const { rows } = await postgres.query<{ bytes: number }>(`select pg_total_relation_size('jobs') as bytes`);
    return {
      streamBytesAnEvent: Math.round(state.bytes / state.messages),
      postgresBytesAJob: Math.round((rows[0]?.bytes ?? 0) / jobs),
    };
  } finally {
    await nc.close();
  }
}
