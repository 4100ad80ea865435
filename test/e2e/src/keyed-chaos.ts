// Runs keyed jobs while worker processes are killed, frozen past their lease and replaced at random. Afterwards
// keyed-history.ts checks the stream. Size and fault rate are parameters.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { silentLogger, sleep } from '@trellis/async';
import { decodeEvent, keyBucketName, readKeyRecord, type StoredEvent, workConsumerName } from '@trellis/contracts';
import { createService } from '@trellis/jobs';
import { ENDING_EVENTS } from '@trellis/lifecycle';
import { JobStream } from '@trellis/nats';
import { startTestNats, waitFor } from '@trellis/test-support';
import { type KeyedHistory, proveKeyed } from './keyed-history.ts';
import { JOB_TYPE, type KeyedWorkerOptions, keyedQueue } from './keyed-worker.ts';

export interface ChaosOptions {
  processes: number;
  keys: number;
  jobs: number;
  maxActive: number;
  maxQueuedPerKey: number;
  ttlMs: number;
  concurrency: number;
  workMs: number;
  /** Average time between two faults. */
  faultEveryMs: number;
  /** 1: workers are also frozen for longer than their lease. 0: they are only killed and replaced. */
  freezes: number;
  /** The same seed gives the same faults. */
  seed: number;
  timeoutMs: number;
  logLevel?: KeyedWorkerOptions['logLevel'];
}

export interface ChaosReport extends KeyedHistory {
  seconds: number;
  createdSeconds: number;
  faults: { kill: number; freeze: number; roll: number };
  takeovers: number;
  /** Entries left in the key records. Those of killed processes are removed when the key is used next. */
  left: string[];
  /** Messages left in the work stream. */
  leftMessages: number;
}

export async function runKeyedChaos(options: ChaosOptions): Promise<ChaosReport> {
  await using nats = await startTestNats();
  const nc = await nats.connect();
  const service = await createService({
    name: 'chaos',
    nats: nc,
    queues: { [JOB_TYPE]: keyedQueue(options) },
    instanceId: 'creator',
    log: silentLogger(),
  });
  const stream = await JobStream.open(nc);
  const watch = watchEvents(stream);
  const startedAt = performance.now();
  const crew = workers(nats.url, options);
  const stopFaults = new AbortController();
  const faults = { kill: 0, freeze: 0, roll: 0 };
  try {
    await crew.start();
    const injecting = injectFaults(crew, options, faults, stopFaults.signal);
    const queue = service.jobs[JOB_TYPE];
    if (queue === undefined) throw new Error('no queue');
    let next = 0;
    const create = async () => {
      for (let n = next++; n < options.jobs; n = next++) await queue.create({ origin: `o${n % options.keys}`, n });
    };
    await Promise.all(Array.from({ length: 32 }, create));
    const createdSeconds = (performance.now() - startedAt) / 1_000;
    await waitFor(() => watch.ended() >= options.jobs, {
      what: `${options.jobs} jobs to end`,
      timeoutMs: options.timeoutMs,
    }).catch(() => undefined);
    const seconds = (performance.now() - startedAt) / 1_000;
    stopFaults.abort();
    await injecting;
    const drained = async () => {
      const info = await stream.jsm.consumers.info(stream.names.work, workConsumerName('chaos', JOB_TYPE));
      return info.num_pending + info.num_ack_pending === 0;
    };
    await waitFor(drained, { what: 'an empty work queue', timeoutMs: options.ttlMs * 3 + 20_000 }).catch(
      () => undefined,
    );
    await crew.end();
    const events = await watch.all();
    const { state } = await stream.jsm.streams.info(stream.names.work);
    return {
      ...proveKeyed(events, options.maxActive),
      seconds,
      createdSeconds,
      faults,
      ...(await readKeyRecords(stream)),
      leftMessages: state.messages,
    };
  } finally {
    stopFaults.abort();
    await crew.end('SIGKILL');
    watch.close();
    await service.stop();
  }
}

const endings: ReadonlySet<string> = new Set(ENDING_EVENTS);

function watchEvents(stream: JobStream) {
  const events: StoredEvent[] = [];
  const ended = new Set<string>();
  let close = () => {};
  const reading = (async () => {
    const consumer = await stream.js.consumers.get(stream.names.jobs, { filter_subjects: 'trellis.jobs.chaos.*.*.*' });
    const messages = await consumer.consume({ max_messages: 5_000 });
    close = () => messages.stop();
    for await (const { subject, seq, time, data } of messages) {
      const decoded = decodeEvent({ subject, sequence: seq, storedAt: time.toISOString(), data });
      if (decoded.kind === 'quarantined') throw new Error(decoded.quarantined.reason);
      events.push(decoded.stored);
      if (endings.has(decoded.stored.event.eventType)) ended.add(decoded.stored.event.jobId);
    }
  })();
  reading.catch(() => undefined);
  return {
    ended: () => ended.size,
    /** All events that are in the stream now. */
    all: async (): Promise<StoredEvent[]> => {
      const { lastSequence } = await stream.info();
      await waitFor(() => (events.at(-1)?.sequence ?? 0) >= lastSequence, { what: 'all events', timeoutMs: 30_000 });
      return events;
    },
    close: () => close(),
  };
}

interface Worker {
  child: ChildProcess;
  exited: Promise<unknown>;
  frozen: boolean;
}

function workers(url: string, options: ChaosOptions) {
  const crew: Worker[] = [];
  let count = 0;
  let closed = false;
  const spawnOne = (): Worker => {
    const { ttlMs, maxActive, maxQueuedPerKey, concurrency, workMs, logLevel = 'fatal' } = options;
    const instanceId = `w${++count}`;
    const limits = { ttlMs, maxActive, maxQueuedPerKey, concurrency, workMs };
    const settings: KeyedWorkerOptions = { url, service: 'chaos', instanceId, graceMs: 50, logLevel, ...limits };
    const file = join(import.meta.dirname, 'keyed-worker.ts');
    const child = spawn(process.execPath, [file, JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return { child, exited: once(child, 'exit'), frozen: false };
  };
  return {
    size: options.processes,
    start: async () => {
      for (let n = 0; n < options.processes; n++) crew.push(spawnOne());
    },
    worker: (index: number) => crew[index],
    /** Replaces a process by a new one. */
    replace: async (index: number, signal: NodeJS.Signals): Promise<void> => {
      const old = crew[index];
      if (old === undefined || closed) return;
      crew[index] = spawnOne();
      old.child.kill(signal);
      await old.exited;
    },
    end: async (signal: NodeJS.Signals = 'SIGTERM') => {
      closed = true;
      for (const { child, frozen } of crew) {
        if (frozen) child.kill('SIGCONT');
        child.kill(signal);
      }
      await Promise.all(crew.splice(0).map(({ exited }) => exited));
    },
  };
}

async function injectFaults(
  crew: ReturnType<typeof workers>,
  { seed, faultEveryMs, ttlMs, freezes }: ChaosOptions,
  faults: ChaosReport['faults'],
  signal: AbortSignal,
): Promise<void> {
  const random = randomFrom(seed);
  const running: Promise<unknown>[] = [];
  while (!signal.aborted) {
    await sleep(faultEveryMs * (0.5 + random()), signal);
    const index = Math.floor(random() * crew.size);
    const kind = (['kill', 'roll', 'freeze'] as const)[Math.floor(random() * (freezes > 0 ? 3 : 2))] ?? 'roll';
    const worker = crew.worker(index);
    if (signal.aborted || worker === undefined || worker.frozen) continue;
    faults[kind]++;
    if (kind === 'kill') await crew.replace(index, 'SIGKILL');
    if (kind === 'roll') running.push(crew.replace(index, 'SIGTERM'));
    if (kind === 'freeze') {
      worker.frozen = true;
      worker.child.kill('SIGSTOP');
      const thaw = async () => {
        await sleep(ttlMs * (1 + random()), signal);
        worker.child.kill('SIGCONT');
        worker.frozen = false;
      };
      running.push(thaw());
    }
  }
  await Promise.all(running);
}

/** A seeded generator of numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

async function readKeyRecords(stream: JobStream): Promise<{ takeovers: number; left: string[] }> {
  const bucket = await new Kvm(stream.js).open(keyBucketName('chaos'));
  let takeovers = 0;
  const left: string[] = [];
  for await (const name of await bucket.keys()) {
    const entry = await bucket.get(name);
    const read = entry && readKeyRecord(entry.value);
    if (read?.kind !== 'record') continue;
    takeovers += read.record.staleTakeoverCount;
    const { active, queued } = read.record;
    for (const { jobId, instanceId, leaseExpiresAt } of active) {
      left.push(`active ${jobId} of ${instanceId} until ${leaseExpiresAt}`);
    }
    for (const { jobId } of queued) left.push(`queued ${jobId}`);
  }
  return { takeovers, left };
}
