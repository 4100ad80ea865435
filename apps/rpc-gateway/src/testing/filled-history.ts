// For tests: a history in ClickHouse that holds what the stream held when it was copied.
import { decodeEvent } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import {
  HistoryReader,
  JournalBlock,
  JournalStore,
  migrateClickHouse,
  openClickHouse,
} from '@trellis/store-clickhouse';
import { freshClickHouse } from '@trellis/test-support';

export interface FilledHistory extends AsyncDisposable {
  reader: HistoryReader;
  /** Copies every message of the stream that is not copied yet. */
  copy(stream: JobStream): Promise<void>;
}

export async function filledHistory(): Promise<FilledHistory> {
  const stack = new AsyncDisposableStack();
  const { url } = stack.use(await freshClickHouse());
  const clickhouse = stack.use(openClickHouse({ url }));
  await migrateClickHouse(clickhouse);
  const store = new JournalStore(clickhouse);
  await store.beginGeneration(1, '2026-01-01T00:00:00.000Z', 'test');
  let copied = 0;
  return {
    reader: new HistoryReader(clickhouse),
    async copy(stream) {
      const { lastSequence } = await stream.info();
      const block = new JournalBlock(1);
      for (; copied < lastSequence; copied++) {
        const message = await stream.messageAt(copied + 1);
        if (message) block.add(message, decodeEvent(message));
      }
      if (block.rows > 0) await store.append(block, `${block.from}-${block.to}`);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
