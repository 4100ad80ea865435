import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startClickHouseServer } from '@trellis/devstack';
import { expect, test } from 'vitest';
import { generatedHistory } from './testing/generated-history.ts';
import { blockOf, expectedViews, firstDifferences, HistoryBench } from './testing/history-bench.ts';

const MONTH_MS = 31 * 86_400_000;

test('a block whose insert is repeated through SIGKILLs of the server counts exactly once, or is reported as incomplete', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trellis-journal-'));
  const server = await startClickHouseServer({ folder });
  try {
    await using bench = await HistoryBench.open(`${server.url}/trellis_jobs`);
    await bench.beginHistory();
    // Over several months, so that a kill can leave a part of a block.
    const events = generatedHistory({ jobs: 12_000, from: Date.UTC(2026, 0, 1), spanMs: 6 * MONTH_MS });
    const size = Math.ceil(events.length / 8);
    let failures = 0;
    for (let index = 0; index * size < events.length; index++) {
      const block = events.slice(index * size, (index + 1) * size);
      const insert = bench.append(block).catch(() => (failures += 1));
      // Each kill comes a little later into the insert than the previous one.
      await Promise.race([insert, new Promise((resolve) => setTimeout(resolve, index * 50))]);
      await server.kill();
      await insert;
      await server.restart();
      await bench.append(block);
      // The server may have kept a token without the rows of its block. The projector then starts a new generation.
      if ((await bench.store.tablesThatLack(blockOf(bench.generation, block))).length === 0) continue;
      await bench.beginHistory();
      await bench.append(events.slice(0, (index + 1) * size));
    }
    expect(failures).toBeGreaterThan(0);
    expect(await bench.rows('SELECT count() AS n, uniqExact(stream_sequence) AS u FROM events')).toEqual([
      { n: events.length, u: events.length },
    ]);
    const { found, expected } = firstDifferences(await bench.views(), expectedViews(events));
    expect(found).toEqual(expected);
    expect(await bench.rows('SELECT sum(events) AS n FROM event_minutes')).toEqual([{ n: events.length }]);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
