// Collects the parts of a job's trace: its events, the spans and log records of its traces, and the same of the jobs that it
// created or that created it. build-trace.ts puts them together.

import type { Logger } from '@trellis/async';
import { Fault, type StoredEvent } from '@trellis/contracts';
import { type Period, type Span, type TraceReader, TracesUnavailable } from '@trellis/store-traces';
import pLimit from 'p-limit';
import { type EventSources, readEvents } from '../reads/read-events.ts';
import { MAX_LOGS, type PictureParts, traceIdsOf } from './build-trace.ts';
import { findRelatives } from './find-relatives.ts';
import { type JobStory, tellStory } from './job-story.ts';

export interface PictureSources extends EventSources {
  /** Undefined: no store of spans is configured. */
  traces: Pick<TraceReader, 'spansOf' | 'logsOf'> | undefined;
}

export interface CollectedParts extends PictureParts {
  /** There was more than is collected. */
  truncated: boolean;
}

/** Jobs that make jobs that make jobs … */
const MAX_ROUNDS = 6;
const MAX_JOBS = 60;
const MAX_TRACES = 60;
const MAX_SPANS = 2_000;
/** Clocks of hosts differ. */
const MARGIN_MS = 60_000;

/** @throws {Fault} not-found; unavailable, when only the history could know the job and does not answer */
export async function collectParts(id: string, sources: PictureSources, log: Logger): Promise<CollectedParts> {
  const { events } = await readEvents(id, sources);
  const collection = new Collection(sources, new Map([[id, events]]));
  if (!sources.traces) return collection.parts([], true);
  try {
    await collection.follow(id, sources.traces);
    const [logs] = await Promise.all([collection.logs(sources.traces), collection.actions(sources.traces)]);
    return collection.parts(logs, false);
  } catch (error) {
    if (!(error instanceof TracesUnavailable)) throw error;
    log.info({ jobId: id, error }, 'spans and logs cannot be read; the picture is made of events alone');
    return new Collection(sources, new Map([[id, events]])).parts([], true);
  }
}

class Collection {
  readonly #sources: PictureSources;
  /** In the order in which they were found. */
  readonly #events: Map<string, readonly StoredEvent[]>;
  readonly #spans = new Map<string, Span>();
  readonly #lookedUp = new Set<string>();
  #truncated = false;

  constructor(sources: PictureSources, events: Map<string, readonly StoredEvent[]>) {
    this.#sources = sources;
    this.#events = events;
  }

  parts(logs: PictureParts['logs'], eventsOnly: boolean): CollectedParts {
    const jobs = [...this.#events.values()];
    return { jobs, spans: [...this.#spans.values()], logs, eventsOnly, truncated: this.#truncated };
  }

  /** From traces to jobs to their traces, until nothing new is found. */
  async follow(id: string, traces: Pick<TraceReader, 'spansOf'>): Promise<void> {
    let jobIds = [id];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const traceIds = traceIdsOf(this.#stories()).filter((traceId) => !this.#lookedUp.has(traceId));
      if (traceIds.length === 0) return;
      await this.#readSpans(traces, traceIds, jobIds);
      await this.#readRelatives();
      jobIds = [];
    }
    this.#truncated = true;
  }

  /** What was done to the other jobs from elsewhere, such as by an operator. */
  actions(traces: Pick<TraceReader, 'spansOf'>): Promise<void> {
    return this.#readSpans(traces, [], [...this.#events.keys()].slice(1));
  }

  async #readSpans(traces: Pick<TraceReader, 'spansOf'>, traceIds: string[], jobIds: string[]): Promise<void> {
    const room = MAX_TRACES - this.#lookedUp.size;
    if (traceIds.length > room) this.#truncated = true;
    for (const traceId of traceIds) this.#lookedUp.add(traceId);
    const query = { traceIds: traceIds.slice(0, Math.max(room, 0)), jobIds, period: this.#period(), limit: MAX_SPANS };
    const spans = await traces.spansOf(query);
    if (spans.length >= MAX_SPANS) this.#truncated = true;
    for (const span of spans) this.#spans.set(span.spanId, span);
  }

  async #readRelatives(): Promise<void> {
    const found = findRelatives(new Set(this.#events.keys()), [...this.#spans.values()]);
    const room = MAX_JOBS - this.#events.size;
    if (found.length > room) this.#truncated = true;
    const limit = pLimit(8);
    const wanted = found.slice(0, Math.max(room, 0));
    const read = await Promise.all(wanted.map((jobId) => limit(() => this.#eventsOf(jobId))));
    for (const [at, events] of read.entries()) this.#events.set(wanted[at] ?? '', events);
  }

  /** None for a job of which nothing is known any more: its spans are shown all the same. */
  async #eventsOf(jobId: string): Promise<readonly StoredEvent[]> {
    try {
      return (await readEvents(jobId, this.#sources)).events;
    } catch (error) {
      if (error instanceof Fault && (error.code === 'not-found' || error.code === 'unavailable')) return [];
      throw error;
    }
  }

  async logs(traces: Pick<TraceReader, 'logsOf'>): Promise<PictureParts['logs']> {
    const query = { traceIds: traceIdsOf(this.#stories()).slice(0, MAX_TRACES), jobIds: [...this.#events.keys()] };
    return traces.logsOf({ ...query, period: this.#period(), limit: MAX_LOGS + 1 });
  }

  #stories(): JobStory[] {
    return [...this.#events.values()].map(tellStory).filter((story): story is JobStory => story !== undefined);
  }

  /** From before the first job's creation until after the last one's end, or now. */
  #period(): Period {
    const stories = this.#stories();
    const from = Math.min(...stories.map(({ createdMs }) => createdMs)) - MARGIN_MS;
    const ends = stories.map(({ ended, lastMs }) => (ended ? lastMs : Math.max(lastMs, Date.now())));
    return { from, to: Math.max(...ends) + MARGIN_MS };
  }
}
