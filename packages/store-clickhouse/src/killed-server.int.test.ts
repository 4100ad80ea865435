import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeEvent, type StoredMessage } from '@trellis/contracts';
import { startClickHouseServer } from '@trellis/devstack';
import { expect, test } from 'vitest';
import { JournalBlock } from './journal-block.ts';
import { JournalStore } from './journal-store.ts';
import { migrateClickHouse } from './migrate.ts';
import { openClickHouse } from './open-clickhouse.ts';

const event = {
  service: 's',
  jobType: 't',
  eventType: 'created',
  state: 'pending',
  timestamp: '2026-03-01T10:00:00.000Z',
  context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 0,
};

/** Blocks of 20,000 rows over three months, so that a kill can leave a part of one. */
function blockAt(from: number): JournalBlock {
  const block = new JournalBlock(1);
  for (let sequence = from; sequence < from + 20_000; sequence++) {
    const jobId = `j${sequence}`;
    const body = { ...event, jobId, payload: { sequence, filler: 'x'.repeat(sequence % 200) } };
    const message: StoredMessage = {
      sequence,
      subject: `trellis.jobs.s.t.${jobId}.created`,
      storedAt: new Date(Date.UTC(2026, sequence % 3, 1)).toISOString(),
      data: Buffer.from(JSON.stringify(body)),
    };
    block.add(message, decodeEvent(message));
  }
  return block;
}

test('blocks whose inserts are repeated through SIGKILLs of the server are stored exactly once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trellis-journal-'));
  const server = await startClickHouseServer({ folder });
  try {
    await using clickhouse = openClickHouse({ url: server.url });
    await migrateClickHouse(clickhouse);
    const store = new JournalStore(clickhouse);
    const blocks = Array.from({ length: 4 }, (_, index) => blockAt(1 + index * 20_000));
    let failures = 0;
    for (const [index, block] of blocks.entries()) {
      const token = `1:${block.from}-${block.to}`;
      const insert = store.append(block, token).catch(() => (failures += 1));
      // Each a little later into the insert than the one before.
      await Promise.race([insert, new Promise((resolve) => setTimeout(resolve, index * 40))]);
      await server.kill();
      await insert;
      await server.restart();
      await store.append(block, token);
    }
    expect(failures).toBeGreaterThan(0);
    const result = await clickhouse.client.query({
      query: 'SELECT toUInt32(count()) AS n, toUInt32(uniqExact(stream_sequence)) AS u FROM journal',
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([{ n: 80_000, u: 80_000 }]);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
