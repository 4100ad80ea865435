import { describe, expect, it } from 'vitest';
import { PresenceBook } from './presence-book.ts';
import type { Heartbeat } from './read-heartbeat.ts';

const T0 = Date.parse('2026-01-31T10:00:00.000Z');
const iso = (ms: number) => new Date(T0 + ms).toISOString();

const beatOf = (instanceId: string, fields: Partial<Heartbeat> = {}): Heartbeat => ({
  service: 's',
  type: 't',
  instanceId,
  concurrency: undefined,
  version: undefined,
  activeJobs: undefined,
  activeJobCount: undefined,
  ...fields,
});

const book = (defaultIntervalMs = 10_000) => {
  const made = new PresenceBook({ defaultIntervalMs });
  made.heardUpTo(T0);
  return made;
};

/** Instance → status, of what has changed. */
const changes = (of: PresenceBook) =>
  Object.fromEntries(of.takeChanges().map(({ instanceId, status }) => [instanceId, status]));

/** Time continues in steps that nobody would call deafness. */
function passUpTo(of: PresenceBook, ms: number): void {
  for (let at = of.knownUpTo ?? T0; at < T0 + ms; at += 1_000) of.heardUpTo(at);
  of.heardUpTo(T0 + ms);
}

function beats(of: PresenceBook, instanceId: string, everyMs: number, count: number, from = 0): number {
  for (let index = 0; index < count; index++) {
    passUpTo(of, from + index * everyMs);
    of.hear(beatOf(instanceId), T0 + from + index * everyMs);
  }
  return from + (count - 1) * everyMs;
}

describe('the book of presence', () => {
  it('hands out a worker once, with its latest heartbeat, however many came in between', () => {
    const presence = book();
    for (let at = 0; at < 500; at++) presence.hear(beatOf('a', { activeJobCount: at, version: '1' }), T0 + at);
    expect(presence.takeChanges()).toMatchObject([
      {
        service: 's',
        type: 't',
        instanceId: 'a',
        status: 'live',
        firstSeenAt: iso(0),
        lastSeenAt: iso(499),
        version: '1',
        activeJobCount: 499,
      },
    ]);
    expect(presence.takeChanges()).toEqual([]);
  });

  it.each<[string, Partial<Heartbeat>]>([
    ['concurrency', { concurrency: 5 }],
    ['version', { version: '2' }],
    ['job', { activeJobs: ['j1', 'j3'] }],
    ['number of jobs', { activeJobCount: 3 }],
    ['silence about its jobs', { activeJobs: undefined }],
  ])('hands out what the latest heartbeat says: a new %s', (_, said) => {
    const usual = { concurrency: 4, version: '1', activeJobs: ['j1', 'j2'], activeJobCount: 2 };
    const presence = book();
    presence.hear(beatOf('a', usual), T0);
    expect(presence.takeChanges()).toMatchObject([usual]);
    presence.hear(beatOf('a', usual), T0 + 1_000);
    expect(presence.takeChanges()).toMatchObject([{ ...usual, lastSeenAt: iso(1_000) }]);
    presence.hear(beatOf('a', { ...usual, ...said }), T0 + 2_000);
    expect(presence.takeChanges()).toMatchObject([{ ...usual, ...said, lastSeenAt: iso(2_000) }]);
  });

  it('calls a worker late after 2.5 and gone after 6 of its intervals, ten seconds each until they are learned', () => {
    const presence = book();
    presence.hear(beatOf('a'), T0);
    expect(changes(presence)).toEqual({ a: 'live' });
    passUpTo(presence, 25_000);
    expect(changes(presence)).toEqual({});
    passUpTo(presence, 25_001);
    expect(changes(presence)).toEqual({ a: 'late' });
    passUpTo(presence, 60_000);
    expect(changes(presence)).toEqual({});
    passUpTo(presence, 60_001);
    expect(changes(presence)).toEqual({ a: 'gone' });
    presence.hear(beatOf('a'), T0 + 61_000);
    expect(presence.takeChanges()).toMatchObject([
      { status: 'live', firstSeenAt: iso(0), heartbeatIntervalMs: 10_000 },
    ]);
  });

  it.each([1_000, 30_000])('learns the interval of a worker that sends every %d ms', (everyMs) => {
    const presence = book();
    const last = beats(presence, 'a', everyMs, 8);
    expect(presence.takeChanges()).toMatchObject([{ status: 'live', heartbeatIntervalMs: everyMs }]);
    passUpTo(presence, last + 2.5 * everyMs);
    expect(changes(presence)).toEqual({});
    passUpTo(presence, last + 2.5 * everyMs + 1);
    expect(changes(presence)).toEqual({ a: 'late' });
  });

  it('follows a worker that slows down quickly, and is not misled by two heartbeats in a row', () => {
    const presence = book();
    presence.hear(beatOf('a'), T0);
    presence.hear(beatOf('a'), T0 + 5);
    beats(presence, 'a', 10_000, 8, 10_000);
    const [{ heartbeatIntervalMs } = { heartbeatIntervalMs: 0 }] = presence.takeChanges();
    expect(heartbeatIntervalMs).toBeGreaterThan(5_000);
    expect(heartbeatIntervalMs).toBeLessThanOrEqual(10_000);
  });

  it('takes one missing stretch for what it is: the interval is nearly the old one soon after', () => {
    const presence = book();
    const last = beats(presence, 'a', 1_000, 10);
    beats(presence, 'a', 1_000, 10, last + 5_000);
    const [{ heartbeatIntervalMs } = { heartbeatIntervalMs: 0 }] = presence.takeChanges();
    expect(heartbeatIntervalMs).toBeLessThan(1_500);
  });

  it('calls nobody late within a second, however often it sends', () => {
    const presence = book();
    const last = beats(presence, 'a', 10, 20);
    passUpTo(presence, last + 1_000);
    expect(changes(presence)).toEqual({ a: 'live' });
    passUpTo(presence, last + 1_001);
    expect(changes(presence)).toEqual({ a: 'late' });
  });

  it('blames nobody for the time in which nothing could be heard', () => {
    const presence = book();
    const last = beats(presence, 'a', 1_000, 5);
    changes(presence);
    // The server was away for a minute.
    presence.heardUpTo(T0 + last + 60_000);
    expect(changes(presence)).toEqual({});
    passUpTo(presence, last + 62_000);
    expect(changes(presence)).toEqual({});
    passUpTo(presence, last + 63_000);
    expect(changes(presence)).toEqual({ a: 'late' });
    presence.hear(beatOf('a'), T0 + last + 63_100);
    // The gap was not the worker's.
    expect(presence.takeChanges()).toMatchObject([{ status: 'live', heartbeatIntervalMs: 1_000 }]);
  });

  it('begins with what a former owner knew, and finds out who vanished meanwhile', () => {
    const first = book();
    const last = beats(first, 'a', 1_000, 5);
    beats(first, 'b', 1_000, 5, 0);
    const known = first.takeChanges();

    const presence = new PresenceBook({ defaultIntervalMs: 10_000 });
    presence.load(known);
    // The stream brings the last heartbeat of each again, then says that this was all.
    presence.hear(beatOf('a'), T0 + last);
    presence.hear(beatOf('b'), T0 + last + 20_000);
    expect(presence.knownUpTo).toBeUndefined();
    presence.heardUpTo(T0 + last + 20_500);
    expect(presence.takeChanges()).toMatchObject([
      { instanceId: 'a', status: 'gone', lastSeenAt: iso(last), heartbeatIntervalMs: 1_000 },
      { instanceId: 'b', status: 'live', firstSeenAt: iso(0), heartbeatIntervalMs: 1_000 },
    ]);
  });

  it('is not misled by the last heartbeat of a worker that is gone already', () => {
    const presence = book();
    const last = beats(presence, 'a', 1_000, 5);
    passUpTo(presence, last + 7_000);
    expect(changes(presence)).toEqual({ a: 'gone' });
    presence.hear(beatOf('a'), T0 + last);
    expect(changes(presence)).toEqual({ a: 'gone' });
  });

  it('forgets who has been gone for long: its memory is that of the living', () => {
    const presence = book();
    for (let index = 0; index < 100; index++) presence.hear(beatOf(`w${index}`), T0);
    passUpTo(presence, 61_000);
    expect(presence.takeChanges()).toHaveLength(100);
    expect(presence.size).toBe(100);
    passUpTo(presence, 660_000);
    expect(presence.takeChanges()).toEqual([]);
    expect(presence.size).toBe(0);
  });
});
