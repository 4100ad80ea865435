// Computes the answers to the questions of docs/analytics.md from the events, without SQL. For the test of that page.
import { isEnded } from '@trellis/lifecycle';
import type { ExpectedEnd, ExpectedRun } from './expected-runs.ts';
import type { HistoryOutcome } from './history-outcome.ts';
import { Between, type Cell, OneOf, type Row } from './match-rows.ts';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const hourOf = (instant: string): string => `${instant.slice(0, 13)}:00:00.000Z`;
const minuteOf = (instant: string): string => `${instant.slice(0, 16)}:00.000Z`;
const present = <T>(value: T | null): T[] => (value === null ? [] : [value]);

/** Groups items by some fields. Each row has these fields and the columns that `summarize` returns for the group. */
function groupBy<Item extends object, Name extends keyof Item & string>(
  items: readonly Item[],
  names: readonly Name[],
  summarize: (group: Item[]) => Row,
): Row[] {
  const groups = Map.groupBy(items, (item) => JSON.stringify(names.map((name) => item[name])));
  return [...groups.values()].map((group) => {
    const [first] = group;
    const keys = Object.fromEntries(names.map((name) => [name, first?.[name] as Cell]));
    return { ...keys, ...summarize(group) };
  });
}

/** Sorts by columns; a name with a leading `-` sorts in descending order. */
function sortBy(rows: Row[], ...names: string[]): Row[] {
  return rows.toSorted((a, b) => {
    for (const name of names) {
      const column = name.replace('-', '');
      const [left, right] = [a[column] as number, b[column] as number];
      if (left !== right) return left < right !== name.startsWith('-') ? -1 : 1;
    }
    return 0;
  });
}

/** Bounds for a quantile from a sketch of `minutes`: within 1 % of a value next to the rank. */
function sketched(values: readonly number[], level: number): Between {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = level * (sorted.length - 1);
  const at = (place: number) => sorted[Math.max(0, Math.min(sorted.length - 1, place))] ?? Number.NaN;
  return new Between(at(Math.floor(rank) - 1) * 0.989, at(Math.ceil(rank) + 1) * 1.011);
}
const sketchedQuantiles = (values: readonly number[]) => [0.5, 0.95, 0.99].map((level) => sketched(values, level));

/** The class of an error, computed in another way than in SQL. */
function errorClass(error: string): string {
  const unquoted = error.replaceAll(/"[^"]*"/g, '?');
  return unquoted.replaceAll(/[\w-]+/g, (word) => (/\d/.test(word) ? '#' : word)).slice(0, 200);
}

const FAILED: readonly string[] = ['failed', 'dead'];
const GAVE_UP: readonly string[] = [...FAILED, 'dismissed'];
const HOUR_MS = 3_600_000;
/** The start of the hour `hours` hours before the current one. */
const hoursAgo = (hours: number): string =>
  new Date((Math.floor(Date.now() / HOUR_MS) - hours) * HOUR_MS).toISOString();
const secondsSince = (instant: string): Between => {
  const seconds = (Date.now() - Date.parse(instant)) / 1_000;
  return new Between(seconds - 120, seconds + 120);
};
const pick = (run: ExpectedRun, ...names: (keyof ExpectedRun)[]): Row =>
  Object.fromEntries(names.map((name) => [name, run[name] as Cell]));

export const ANSWERS: Record<string, (history: HistoryOutcome) => Row[]> = {
  'How many jobs end, per hour and queue?': ({ ends }) => {
    const named = ends.map((end) => ({ ...end, hour: hourOf(end.ended_at) }));
    const rows = groupBy(named, ['hour', 'service', 'job_type'], (group) => ({
      ended: group.length,
      completed: group.filter(({ outcome }) => outcome === 'completed').length,
    }));
    return sortBy(rows, 'hour', 'service', 'job_type');
  },
  'How long do jobs wait and run?': ({ ends }) => {
    const completed = ends.filter(({ outcome }) => outcome === 'completed');
    const rows = groupBy(completed, ['service', 'job_type'], (group) => {
      const waits = group.flatMap(({ wait_ms }) => present(wait_ms));
      const works = group.flatMap(({ run_ms }) => present(run_ms));
      return {
        wait_ms: sketchedQuantiles(waits),
        run_ms: sketchedQuantiles(works),
        mean_wait_ms: mean(waits),
        mean_run_ms: mean(works),
      };
    });
    return sortBy(rows, 'service', 'job_type');
  },
  'How does the 95th percentile of the wait change over the day?': ({ ends }) => {
    const waited = ends
      .filter(({ service, wait_ms }) => service === 'orders-service' && wait_ms !== null)
      .map((end) => ({ ...end, hour: hourOf(end.ended_at) }));
    const rows = groupBy(waited, ['hour'], (group) => ({
      wait_ms_p95: sketched(
        group.flatMap(({ wait_ms }) => present(wait_ms)),
        0.95,
      ),
    }));
    return sortBy(rows, 'hour');
  },
  'Which errors make jobs fail, and how often?': ({ runs }) => {
    const failed = runs
      .filter(({ state }) => GAVE_UP.includes(state))
      .map((run) => ({ ...run, error_class: errorClass(run.error) }));
    const rows = groupBy(failed, ['service', 'job_type', 'error_class'], (group) => {
      const ofQueue = failed.filter(
        (run) => run.service === group[0]?.service && run.job_type === group[0]?.job_type,
      ).length;
      const example = new OneOf(group.map(({ error }) => error));
      return { failed: group.length, share: group.length / ofQueue, example };
    });
    return sortBy(rows, 'service', 'job_type', '-failed', 'error_class');
  },
  'What share of the jobs fails, per queue?': ({ ends }) => {
    const rows = groupBy(ends, ['service', 'job_type'], (group) => {
      const failed = group.filter(({ outcome }) => FAILED.includes(outcome)).length;
      return { ended: group.length, failed, failure_rate: failed / group.length };
    });
    return sortBy(rows, '-failure_rate', 'service', 'job_type');
  },
  'When were there retry storms?': (history) => {
    const retryEvents = history
      .ofType('retry', 'completed')
      .map(({ event: { timestamp, service, jobType, eventType } }) => ({
        minute: minuteOf(timestamp),
        service,
        job_type: jobType,
        eventType,
      }));
    const rows = groupBy(retryEvents, ['minute', 'service', 'job_type'], (group) => ({
      retries: group.filter(({ eventType }) => eventType === 'retry').length,
      completed: group.filter(({ eventType }) => eventType === 'completed').length,
    }));
    const storms = rows.filter(({ retries, completed }) => Number(retries) > 3 && Number(retries) >= Number(completed));
    return sortBy(storms, '-retries', 'minute', 'service', 'job_type').slice(0, 100);
  },
  'What are the dead letters, by cause?': ({ runs }) => {
    const dead = runs
      .filter(({ state }) => state === 'dead')
      .map((run) => ({ ...run, error_class: errorClass(run.error) }));
    const rows = groupBy(dead, ['service', 'job_type', 'error_class'], (group) => {
      const times = group.map(({ ended_at }) => ended_at ?? '').toSorted();
      return { jobs: group.length, oldest: times.at(0) ?? '', newest: times.at(-1) ?? '' };
    });
    return sortBy(rows, '-jobs', 'service', 'job_type', 'error_class');
  },
  'Which keys are slowest?': ({ runs }) => {
    const keyed = runs.filter(({ key }) => key !== '');
    const rows = groupBy(keyed, ['service', 'job_type', 'key'], (group) => {
      const waits = group.flatMap(({ wait_ms }) => present(wait_ms));
      return {
        jobs: group.length,
        mean_wait_ms: mean(waits),
        longest_wait_ms: Math.max(...waits),
        run_ms: sum(group.map(({ run_ms }) => run_ms)),
      };
    });
    return sortBy(rows, '-run_ms', 'key').slice(0, 20);
  },
  'How many jobs had each customer, and how many did not succeed?': (history) => {
    const outcomes = new Map(history.runs.map(({ job_id, outcome }) => [job_id, outcome]));
    const created = history.ofType('created').map(({ event: { jobId, payload } }) => ({
      customer: (payload as { customer: string }).customer,
      outcome: outcomes.get(jobId) ?? '',
    }));
    const rows = groupBy(created, ['customer'], (group) => ({
      jobs: group.length,
      completed: group.filter(({ outcome }) => outcome === 'completed').length,
      not_completed: group.filter(({ outcome }) => outcome !== '' && outcome !== 'completed').length,
    }));
    return sortBy(rows, '-jobs', 'customer');
  },
  'Is the new version of a worker better than the old one?': ({ runs }) => {
    const versioned = runs.filter(({ worker_version }) => worker_version !== '');
    const rows = groupBy(versioned, ['service', 'worker_version'], (group) => {
      const ended = group.filter(({ outcome }) => outcome !== '');
      const works = group.map(({ run_ms }) => run_ms).toSorted((a, b) => a - b);
      return {
        first_seen: group.map(({ last_started_at }) => last_started_at ?? '').toSorted()[0] ?? '',
        jobs: group.length,
        failure_rate: ended.filter(({ outcome }) => GAVE_UP.includes(outcome)).length / ended.length,
        run_ms_p50: works[Math.floor(works.length / 2)] ?? 0,
        mean_attempts: mean(group.map(({ attempts }) => attempts)),
      };
    });
    return sortBy(rows, 'service', 'first_seen');
  },
  'How did the backlog develop?': (history) => {
    const arrivals = history.ofType('created', 'retried').map(({ event }) => hourOf(event.timestamp));
    const ends = history.ends.map(({ ended_at }) => hourOf(ended_at));
    const hours = [...new Set([...arrivals, ...ends])].toSorted();
    return hours.map((hour) => {
      const endOfHour = new Date(Date.parse(hour) + 3_600_000 - 1).toISOString();
      return {
        hour,
        arrivals: arrivals.filter((other) => other === hour).length,
        ends: ends.filter((other) => other === hour).length,
        backlog: history.asOf(endOfHour).filter(({ state }) => !isEnded(state)).length,
      };
    });
  },
  'In which states were the jobs at a moment in the past?': (history) => {
    const rows = groupBy(history.asOf(hoursAgo(12)), ['service', 'state'], (group) => ({ jobs: group.length }));
    return sortBy(rows, 'service', 'state');
  },
  'Which jobs had events that the lifecycle does not allow?': ({ runs }) => {
    const odd = runs.filter(({ ignored_events }) => ignored_events > 0);
    const rows = odd.map((run) => pick(run, 'service', 'job_type', 'job_id', 'state', 'ended_at', 'ignored_events'));
    return sortBy(rows, '-ignored_events', 'job_id');
  },
  'What does each service cost?': ({ ends }) => {
    const rows = groupBy(ends, ['service'], (group) => {
      const worked = (some: ExpectedEnd[]) => sum(some.flatMap(({ run_ms }) => present(run_ms)));
      const hours = worked(group) / 3_600_000;
      const wasted = worked(group.filter(({ outcome }) => outcome !== 'completed')) / worked(group);
      return { hours, cost: hours * 0.04, wasted };
    });
    return sortBy(rows, '-hours');
  },
  'Which jobs have waited longest?': ({ runs }) => {
    const waiting = runs.filter(({ state }) => state === 'pending');
    const rows = waiting.map((run) => ({
      ...pick(run, 'service', 'job_type', 'job_id', 'state', 'queued_at'),
      waiting_s: secondsSince(run.queued_at),
    }));
    return sortBy(rows, 'queued_at', 'job_id').slice(0, 20);
  },
  'Which jobs run longest right now?': ({ runs }) => {
    const active = runs.filter(({ state }) => state === 'active');
    const rows = active.map((run) => ({
      ...pick(run, 'service', 'job_type', 'job_id', 'instance_id', 'attempts', 'last_started_at'),
      running_s: secondsSince(run.last_started_at ?? ''),
    }));
    return sortBy(rows, 'last_started_at', 'job_id').slice(0, 20);
  },
  'Who cancelled what, and why?': ({ runs }) => {
    const cancelled = runs.filter(({ state }) => state === 'cancelled');
    const names = ['ended_by_kind', 'ended_by', 'reason', 'service', 'job_type'] as const;
    const rows = groupBy(cancelled, names, (group) => ({
      jobs: group.length,
      had_started: group.filter(({ first_started_at }) => first_started_at !== null).length,
    }));
    return sortBy(rows, '-jobs', 'ended_by', 'reason', 'service', 'job_type');
  },
  'Do reruns help?': ({ runs }) => {
    const again = runs.filter(({ reruns }) => reruns > 0);
    const rows = groupBy(again, ['service', 'job_type', 'outcome'], (group) => ({
      jobs: group.length,
      total_reruns: sum(group.map(({ reruns }) => reruns)),
    }));
    return sortBy(rows, 'service', 'job_type', 'outcome');
  },
  'Which attempts of completed jobs were in vain?': ({ runs }) => {
    const completed = runs.filter(({ state }) => state === 'completed');
    const rows = groupBy(completed, ['service', 'job_type'], (group) => ({
      repeated: group.filter(({ attempts }) => attempts > 1).length,
      lost_ms: sum(group.map(({ attempt_ms }) => sum(attempt_ms.slice(0, -1)))),
    }));
    return sortBy(rows, 'service', 'job_type');
  },
  'What did jobs log as a warning or an error?': (history) => {
    const lines = history
      .ofType('logged')
      .flatMap(({ event: { service, jobType, logs = [] } }) =>
        logs.map(({ level, message }) => ({ service, job_type: jobType, level, message })),
      );
    const loud = lines.filter(({ level }) => level !== 'info');
    const rows = groupBy(loud, ['service', 'job_type', 'level', 'message'], (group) => ({ times: group.length }));
    return sortBy(rows, '-times', 'service', 'job_type');
  },
  'What happened to one job?': ({ events }) => {
    const ofJob = events.filter(({ event }) => event.jobId === '01J00000106' && event.jobType === 'charge-payment');
    return ofJob.map(({ event }) => ({
      timestamp: event.timestamp,
      event_type: event.eventType,
      state: event.state,
      instance_id: event.instanceId ?? '',
      actor_id: event.actor?.id ?? '',
      error: event.error ?? '',
      reason: event.reason ?? '',
    }));
  },
  'What else belongs to the same request?': ({ runs }) =>
    runs
      .filter(({ request_id }) => request_id === 'request-00000001')
      .map((run) => pick(run, 'service', 'job_type', 'job_id', 'state', 'created_at', 'total_ms')),
};
