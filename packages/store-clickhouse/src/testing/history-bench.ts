// For tests: a migrated database. Appends events as the projector does and reads the views.
import { isDeepStrictEqual } from 'node:util';
import type { StoredEvent, StoredMessage } from '@trellis/contracts';
import { HistoryReader, type JobAddress } from '../history-reader.ts';
import { JournalBlock } from '../journal-block.ts';
import { JournalStore } from '../journal-store.ts';
import { migrateClickHouse } from '../migrate.ts';
import { type ClickHouse, openClickHouse } from '../open-clickhouse.ts';
import {
  type ExpectedHour,
  type ExpectedMinute,
  type ExpectedRun,
  expectedHistory,
  expectedHours,
  expectedMinutes,
} from './expected-runs.ts';

/** A message of the stream with the event as its body. */
export function messageOf({ sequence, storedAt, event }: StoredEvent): StoredMessage {
  const subject = `trellis.jobs.${event.service}.${event.jobType}.${event.jobId}.${event.eventType}`;
  return { sequence, storedAt, subject, data: Buffer.from(JSON.stringify(event)) };
}

export function blockOf(generation: number, events: readonly StoredEvent[]): JournalBlock {
  const block = new JournalBlock(generation);
  for (const stored of events) block.add(messageOf(stored), { kind: 'event', stored, droppedFields: [] });
  return block;
}

export interface Views {
  runs: ExpectedRun[];
  minutes: ExpectedMinute[];
  hours: ExpectedHour[];
}

export class HistoryBench implements AsyncDisposable {
  readonly clickhouse: ClickHouse;
  readonly store: JournalStore;
  generation = 0;

  constructor(clickhouse: ClickHouse) {
    this.clickhouse = clickhouse;
    this.store = new JournalStore(clickhouse);
  }

  /** @param url with the database, which is created and migrated */
  static async open(url: string): Promise<HistoryBench> {
    const clickhouse = openClickHouse({ url });
    await migrateClickHouse(clickhouse);
    return new HistoryBench(clickhouse);
  }

  /** The events of the current generation, as stored. */
  async storedEvents(): Promise<StoredEvent[]> {
    const reader = new HistoryReader(this.clickhouse);
    const jobs = await this.rows<JobAddress>('SELECT DISTINCT service, job_type AS type, job_id AS id FROM events');
    const events: StoredEvent[] = [];
    for (const job of jobs) events.push(...(await reader.readJob(job, { limit: 1_000_000 })));
    return events.sort((a, b) => a.sequence - b.sequence);
  }

  async beginHistory(): Promise<void> {
    this.generation += 1;
    await this.store.beginGeneration(this.generation, '2026-01-01T00:00:00.000Z', 'test');
  }

  /** Appends the events as one block, with the token that the projector would use. */
  async append(events: readonly StoredEvent[]): Promise<void> {
    const block = blockOf(this.generation, events);
    await this.store.append(block, `${this.generation}:${block.from}-${block.to}`);
  }

  async rows<Row>(query: string): Promise<Row[]> {
    const result = await this.clickhouse.client.query({
      query,
      format: 'JSONEachRow',
      clickhouse_settings: { date_time_output_format: 'iso', output_format_json_quote_64bit_integers: 0 },
    });
    return result.json<Row>();
  }

  /** The rows of the views; times are RFC 3339 UTC. */
  async views(): Promise<Views> {
    return {
      runs: await this.rows('SELECT * EXCEPT error_class FROM runs ORDER BY service, job_type, job_id'),
      minutes: (await this.#sumsOf<ExpectedMinute>('minute')).map((row) => ({ ...row, minute: millis(row.minute) })),
      hours: (await this.#sumsOf<ExpectedHour>('hour')).map((row) => ({ ...row, hour: millis(row.hour) })),
    };
  }

  #sumsOf<Row>(period: 'minute' | 'hour'): Promise<Row[]> {
    return this.rows<Row>(
      `SELECT ${period}, service, job_type, outcome, jobs, attempts, ran, run_ms_sum, waited, wait_ms_sum
      FROM ${period}s ORDER BY ${period}, service, job_type, outcome`,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.clickhouse.close();
  }
}

const millis = (instant: string): string => instant.replace('Z', '.000Z');

/** The rows that the views must have for the events. */
export function expectedViews(events: readonly StoredEvent[]): Views {
  const { runs, ends } = expectedHistory(events);
  const nameOf = (run: ExpectedRun) => [run.service, run.job_type, run.job_id].join('\0');
  const sorted = runs.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return { runs: sorted, minutes: expectedMinutes(ends), hours: expectedHours(ends) };
}

/** The first rows that differ: a whole history in one failed assertion would be unreadable. */
export function firstDifferences(found: Views, expected: Views): { found: Views; expected: Views } {
  const differing = <Row>(a: Row[], b: Row[]) => {
    const places = Array.from({ length: Math.max(a.length, b.length) }, (_, place) => place);
    return places.filter((place) => !isDeepStrictEqual(a[place], b[place])).slice(0, 2);
  };
  const runs = differing(found.runs, expected.runs);
  const minutes = differing(found.minutes, expected.minutes);
  const hours = differing(found.hours, expected.hours);
  const at = (views: Views): Views => ({
    runs: runs.flatMap((place) => views.runs[place] ?? []),
    minutes: minutes.flatMap((place) => views.minutes[place] ?? []),
    hours: hours.flatMap((place) => views.hours[place] ?? []),
  });
  return { found: at(found), expected: at(expected) };
}
