// The trace of a job: its events, and the spans and log records of its traces, as one tree. Pure. A span that never arrived is
// made from the event that mentions it, so that its children keep their parent.
import { ATTR, LINK, type StoredEvent, type TraceLog, type TraceNode } from '@trellis/contracts';
import type { Log, Span } from '@trellis/store-traces';
import { nodeOfAttempt, nodeOfCreation, nodeOfLostParent, nodeOfSpan } from './draft-nodes.ts';
import { type JobStory, type StoryAttempt, tellStory } from './job-story.ts';
import { mergeLogs, type Place } from './merge-logs.ts';
import { type DraftNode, TraceGraph } from './trace-graph.ts';

export interface PictureParts {
  /** Of each job that is known: the one that was asked for first, then those that its traces name. */
  jobs: readonly (readonly StoredEvent[])[];
  spans: readonly Span[];
  logs: readonly Log[];
  /** Spans and logs could not be read: a missing one says nothing. */
  eventsOnly?: boolean;
}

export interface Picture {
  traceIds: string[];
  nodes: TraceNode[];
  logs: TraceLog[];
  truncated: boolean;
}

export const MAX_NODES = 1_000;
export const MAX_LOGS = 1_000;

export function buildTrace(parts: PictureParts): Picture {
  const stories = parts.jobs.map(tellStory).filter((story): story is JobStory => story !== undefined);
  const [own] = stories;
  if (!own) return { traceIds: [], nodes: [], logs: [], truncated: false };
  const picture = new PictureGraph(stories, parts);
  const root = picture.grow(own);
  const nodes = picture.graph.walk(root, MAX_NODES);
  const logs = mergeLogs(stories, parts.logs, (place) => picture.nodeFor(place) ?? root);
  return {
    traceIds: traceIdsOf(stories),
    nodes,
    logs: logs.slice(0, MAX_LOGS),
    truncated: nodes.length < picture.graph.nodes.size || logs.length > MAX_LOGS,
  };
}

/** The job's own trace, those of its late attempts, then those of the other jobs. */
export const traceIdsOf = (stories: readonly JobStory[]): string[] => [
  ...new Set(stories.flatMap(({ context, attempts }) => [context.traceId, ...attempts.map(({ traceId }) => traceId)])),
];

class PictureGraph {
  readonly graph = new TraceGraph();
  readonly #stories: Map<string, JobStory>;
  readonly #spans: readonly Span[];
  /** Job → the node of its creation. */
  readonly #creations = new Map<string, string>();
  /** Job → the span that its context names, where that is not its creation. */
  readonly #contexts = new Map<string, string>();

  constructor(stories: readonly JobStory[], { spans, eventsOnly = false }: PictureParts) {
    this.#stories = new Map(stories.map((story) => [story.id, story]));
    this.#spans = spans;
    for (const span of spans) this.graph.add(nodeOfSpan(span));
    for (const span of spans)
      if (createdJob(span) !== undefined) this.#creations.set(createdJob(span) ?? '', span.spanId);
    for (const story of stories) this.#addMissing(story, !eventsOnly);
  }

  #addMissing(story: JobStory, known: boolean): void {
    const { context } = story;
    const taken = this.graph.nodes.has(context.spanId);
    const creation = this.#creations.get(story.id) ?? (taken ? `created-${story.id}` : context.spanId);
    if (!this.graph.nodes.has(creation)) {
      this.graph.add(nodeOfCreation(story, { traceId: context.traceId, spanId: creation }, known));
    }
    this.#creations.set(story.id, creation);
    if (creation !== context.spanId) this.#contexts.set(story.id, context.spanId);
    for (const attempt of story.attempts) {
      if (!this.graph.nodes.has(attempt.spanId)) this.graph.add(nodeOfAttempt(story, attempt, creation, known));
    }
  }

  /** Hangs every node below another but for one, which is the answer. */
  grow(own: JobStory): string {
    const links = new Map(this.#spans.map((span) => [span.spanId, span.links]));
    for (const node of this.graph.nodes.values()) {
      const places = [
        this.#namedParent(node),
        ...linked(links.get(node.spanId), LINK.creation),
        ...linked(links.get(node.spanId), LINK.job),
        this.#ofItsJob(node),
        this.#makerOfLost(node),
      ];
      places.some((place) => this.graph.hang(node.spanId, place));
    }
    const ownTop = this.graph.topOf(this.#creations.get(own.id) ?? '');
    const root = this.#rootOf(ownTop) ?? this.#lostParent(ownTop) ?? ownTop;
    for (const node of this.graph.tops()) {
      if (node.spanId === root) continue;
      if (!this.graph.hang(node.spanId, this.#attemptThen(node))) this.graph.hang(node.spanId, root);
    }
    return root;
  }

  /** The node of a span, else that of the attempt, else that of the job's creation. */
  nodeFor({ spanId = '', jobId, attempt }: Place): string | undefined {
    if (this.graph.nodes.has(spanId)) return spanId;
    if (jobId === undefined) return undefined;
    const named = attempt === undefined ? undefined : this.#attemptsOf(jobId, attempt).at(-1);
    return named?.spanId ?? this.#creations.get(jobId);
  }

  /** What works on a job hangs below its creation, also where the job's context names another span than that. */
  #namedParent({ namedParent, jobId = '', spanId }: DraftNode): string | undefined {
    const creation = this.#creations.get(jobId);
    if (namedParent === undefined || creation === undefined || creation === spanId) return namedParent;
    return this.#contexts.get(jobId) === namedParent ? creation : namedParent;
  }

  /** For a span whose parent never arrived: the attempt that it names, else the creation of its job. */
  #ofItsJob({ jobId, attributes, startMs, spanId }: DraftNode): string | undefined {
    if (jobId === undefined) return undefined;
    const creation = this.#creations.get(jobId);
    // A creation belongs to who made it, not to its own job.
    if (creation === spanId) return undefined;
    const number = attributes[ATTR.jobAttempt];
    const attempts = number === undefined ? [] : this.#attemptsOf(jobId, Number(number));
    return attempts.findLast((one) => one.startMs <= startMs && one.spanId !== spanId)?.spanId ?? creation;
  }

  #attemptsOf(jobId: string, number: number): StoryAttempt[] {
    return this.#stories.get(jobId)?.attempts.filter((attempt) => attempt.number === number) ?? [];
  }

  /** For a span that names no job either: the attempt of its trace and service that continued when it began. */
  #attemptThen({ namedParent, traceId, service, startMs }: DraftNode): string | undefined {
    if (namedParent === undefined) return undefined;
    return [...this.#stories.values()]
      .filter((story) => story.service === service)
      .flatMap(({ attempts }) => attempts)
      .filter((attempt) => attempt.traceId === traceId && attempt.startMs <= startMs)
      .filter((attempt) => attempt.outcome === undefined || startMs <= attempt.endMs)
      .sort((a, b) => a.startMs - b.startMs)
      .at(-1)?.spanId;
  }

  /**
   * For the creation of a job whose span never arrived: its creator was killed, so the span of the creator's attempt is lost
   * too. The lost attempt of the same trace that ran then.
   */
  #makerOfLost(node: DraftNode): string | undefined {
    const { jobId = '', spanId, traceId, startMs } = node;
    if (this.#creations.get(jobId) !== spanId) return undefined;
    const context = this.#contexts.get(jobId);
    if (context !== undefined) return context;
    if (!node.missing) return undefined;
    const makers = [...this.#stories.values()]
      .filter(({ id }) => id !== jobId)
      .flatMap(({ attempts }) => attempts)
      .filter((attempt) => attempt.traceId === traceId && attempt.startMs <= startMs)
      .filter(({ spanId: maker }) => this.graph.nodes.get(maker)?.missing || this.graph.nodes.get(maker)?.running)
      .sort((a, b) => a.startMs - b.startMs);
    return makers.at(-1)?.spanId;
  }

  /** The root of the trace, where what lies between it and the topmost node above the job never arrived. */
  #rootOf(top: string): string | undefined {
    const node = this.graph.nodes.get(top);
    if (!node || (node.namedParent === undefined && !node.missing)) return undefined;
    const roots = this.graph
      .tops()
      .filter((one) => one.traceId === node.traceId && one.namedParent === undefined && !one.missing)
      .filter(({ startMs }) => startMs <= node.startMs);
    return roots[0]?.spanId;
  }

  /** A node for the parent that the topmost node shares with others and that never arrived. */
  #lostParent(top: string): string | undefined {
    const parent = this.graph.nodes.get(top)?.namedParent;
    if (parent === undefined) return undefined;
    const children = this.graph.tops().filter(({ namedParent }) => namedParent === parent);
    if (children.length < 2) return undefined;
    this.graph.add(nodeOfLostParent(parent, children));
    for (const { spanId } of children) this.graph.hang(spanId, parent);
    return parent;
  }
}

/** The job whose creation a span is; none for one that met a job which existed already. */
export function createdJob({ attributes }: Span): string | undefined {
  const creates = attributes[ATTR.messagingOperationName] === 'create' && attributes[ATTR.jobCreated] !== 'false';
  return creates ? attributes[ATTR.jobId] : undefined;
}

const linked = (links: Span['links'] | undefined, kind: string): string[] =>
  (links ?? []).filter(({ attributes }) => attributes[ATTR.linkKind] === kind).map(({ spanId }) => spanId);
