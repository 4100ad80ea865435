// The streams of the protocol: made when missing, compared when there. A stream that differs is reported, never changed
// in passing (docs/protocol.md#streams).
import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { type NatsConnection, nanos } from '@nats-io/transport-node';
import { type Logger, silentLogger } from '@trellis/async';
import {
  ALL_EVENTS_FILTER,
  ALL_HEARTBEATS_FILTER,
  DEFAULT_STREAM_NAMES,
  maxDeliveriesAdvisoryFilter,
  type StreamNames,
} from '@trellis/contracts';
import { serverAtLeast } from './connect-nats.ts';

export interface Difference {
  stream: string;
  field: string;
  expected: unknown;
  found: unknown;
}

/** An existing stream is not what the protocol needs. */
export class TopologyMismatch extends Error {
  override readonly name = 'TopologyMismatch';
  readonly differences: Difference[];

  constructor(differences: Difference[]) {
    const lines = differences.map(
      ({ stream, field, expected, found }) =>
        `  - stream ${stream}, ${field}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`,
    );
    super(`existing streams differ from what the jobs protocol needs; nothing was changed:\n${lines.join('\n')}`);
    this.differences = differences;
  }
}

export interface ProvisionOptions {
  names?: StreamNames | undefined;
  /** Replicas of streams that are made now; default 1. An existing stream keeps its own number. */
  replicas?: number | undefined;
  log?: Logger | undefined;
  /** Move a JOBS stream that still stores heartbeats (`trellis.jobs.>`) to lifecycle events only. */
  migrate?: boolean | undefined;
}

export interface Provisioned {
  stream: string;
  action: 'created' | 'unchanged' | 'migrated' | 'skipped';
  note?: string;
}

const MINUTE_MS = 60_000;
const DUPLICATE_WINDOW_MS = 2 * MINUTE_MS;
const ADVISORY_AGE_MS = 7 * 24 * 60 * MINUTE_MS;
const PRESENCE_AGE_MS = 2 * MINUTE_MS;
/** What the public design stores in JOBS: heartbeats included. */
const LEGACY_JOBS_SUBJECT = 'trellis.jobs.>';

type Wanted = Partial<StreamConfig> & { name: string; subjects: string[] };

/**
 * Makes the streams that are missing and compares those that exist. Idempotent; safe to run from many processes at once.
 * @returns what was done, per stream
 * @throws {TopologyMismatch} when an existing stream differs in a field that matters
 */
export async function provision(nc: NatsConnection, options: ProvisionOptions = {}): Promise<Provisioned[]> {
  const { names = DEFAULT_STREAM_NAMES, replicas, log = silentLogger(), migrate = false } = options;
  const jsm = await jetstreamManager(nc);
  const wanted = wantedStreams(names, replicas ?? 1, serverAtLeast(nc, 2, 12));
  const existing = new Map<string, StreamConfig>();
  for (const config of wanted) {
    const found = await findStream(jsm, config.name);
    if (found) existing.set(config.name, found);
  }

  const legacy = existing.get(names.jobs)?.subjects.includes(LEGACY_JOBS_SUBJECT) === true;
  const differences = wanted.flatMap((config) => {
    const found = existing.get(config.name);
    return found ? compare(config, found, legacy && config.name === names.jobs) : [];
  });
  if (differences.length > 0) throw new TopologyMismatch(differences);

  const done: Provisioned[] = [];
  for (const config of wanted) {
    if (legacy && migrate && config.name === names.jobs) {
      await jsm.streams.update(config.name, { subjects: config.subjects });
      const { purged } = await jsm.streams.purge(config.name, { filter: 'trellis.jobs.workers.>' });
      done.push({ stream: config.name, action: 'migrated', note: `${purged} stored heartbeats removed` });
    } else if (legacy && !migrate && config.name === names.jobs) {
      const note = `stores heartbeats too (${LEGACY_JOBS_SUBJECT}); \`trellis jobs provision --migrate\` moves it to ${ALL_EVENTS_FILTER}`;
      log.warn({ stream: config.name, expected: config.subjects, found: [LEGACY_JOBS_SUBJECT] }, note);
      done.push({ stream: config.name, action: 'unchanged', note });
    } else if (legacy && !migrate && config.name === names.presence) {
      done.push({
        stream: config.name,
        action: 'skipped',
        note: `presence is read from ${names.jobs} until it is migrated`,
      });
    } else if (existing.has(config.name)) {
      done.push({ stream: config.name, action: 'unchanged' });
    } else {
      await addStream(jsm, config);
      log.info({ stream: config.name, subjects: config.subjects }, 'stream created');
      done.push({ stream: config.name, action: 'created' });
    }
  }
  return done;
}

/** The configuration of every stream, in the order in which they must be made. */
function wantedStreams(names: StreamNames, replicas: number, atomicBatches: boolean): Wanted[] {
  return [
    {
      name: names.jobs,
      subjects: [ALL_EVENTS_FILTER],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      num_replicas: replicas,
      allow_direct: true,
      duplicate_window: nanos(DUPLICATE_WINDOW_MS),
      ...(atomicBatches ? { allow_atomic: true } : {}),
    },
    {
      name: names.work,
      subjects: ['trellis.work.>'],
      retention: RetentionPolicy.Workqueue,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      num_replicas: replicas,
      allow_direct: true,
      sources: [
        {
          name: names.jobs,
          subject_transforms: ['created', 'retried'].map((event) => ({
            src: `trellis.jobs.*.*.*.${event}`,
            dest: 'trellis.work.{{wildcard(1)}}.{{wildcard(2)}}',
          })),
        },
      ],
    },
    {
      name: names.advisories,
      subjects: [maxDeliveriesAdvisoryFilter(names.work)],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      num_replicas: replicas,
      max_age: nanos(ADVISORY_AGE_MS),
    },
    {
      name: names.presence,
      subjects: [ALL_HEARTBEATS_FILTER],
      retention: RetentionPolicy.Limits,
      storage: StorageType.Memory,
      num_replicas: replicas,
      max_msgs_per_subject: 1,
      max_age: nanos(PRESENCE_AGE_MS),
      allow_direct: true,
    },
  ];
}

async function findStream(jsm: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await jsm.streams.info(name)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw error;
  }
}

async function addStream(jsm: JetStreamManager, config: Wanted): Promise<void> {
  // `add` changes the object that it is given.
  await jsm.streams.add(structuredClone(config) as Wanted);
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function compare(wanted: Wanted, found: StreamConfig, legacyJobs: boolean): Difference[] {
  const differences: Difference[] = [];
  const check = (field: string, expected: unknown, have: unknown, same = sameJson(expected, have)) => {
    if (!same) differences.push({ stream: wanted.name, field, expected, found: have });
  };
  if (!legacyJobs) check('subjects', [...wanted.subjects].sort(), [...(found.subjects ?? [])].sort());
  check('retention', wanted.retention, found.retention);
  check('storage', wanted.storage, found.storage);
  if (wanted.allow_direct) check('allow_direct', true, found.allow_direct ?? false);
  if (wanted.max_msgs_per_subject)
    check('max_msgs_per_subject', wanted.max_msgs_per_subject, found.max_msgs_per_subject);
  if (wanted.duplicate_window) {
    const window = found.duplicate_window ?? 0;
    check('duplicate_window', `at least ${wanted.duplicate_window} ns`, window, window >= wanted.duplicate_window);
  }
  if (wanted.sources) {
    // A window on a sourcing stream would drop sourced messages by their message id.
    check('duplicate_window', 0, found.duplicate_window ?? 0);
    check('sources', describeSources(wanted.sources), describeSources(found.sources ?? []));
  }
  if (!wanted.max_msgs_per_subject && found.max_msgs_per_subject > 0) {
    check('max_msgs_per_subject', -1, found.max_msgs_per_subject);
  }
  return differences;
}

const describeSources = (sources: NonNullable<StreamConfig['sources']>): string[] =>
  sources
    .flatMap((source) => {
      const transforms = source.subject_transforms ?? [];
      if (transforms.length === 0) return [`${source.name}: ${source.filter_subject ?? 'everything'}`];
      return transforms.map(({ src, dest }) => `${source.name}: ${src} -> ${dest}`);
    })
    .sort();
