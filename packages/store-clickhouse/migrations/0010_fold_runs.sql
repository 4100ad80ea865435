-- Folds the jobs that an inserted block touches: all their lifecycle events of the block's history, those of the block and those
-- stored before. The rules are those of packages/lifecycle (transitions.ts, reduce.ts); fold-runs.property.int.test.ts compares.
-- Each job is folded whole every time, so that a block that is repeated, or that landed in part, gives the same rows.
-- Here journal is the block; the stored rows, which may hold the block already, are read through merge().
-- States by number: 1 pending, 2 active, 3 retry, 4 retry of work that was handed back; ended: 5 failed, 6 dead, 7 completed,
-- 8 cancelled, 9 expired, 10 skipped, 11 stale, 12 dismissed; 0 no job yet. Plus 16: the event had an effect.
CREATE MATERIALIZED VIEW IF NOT EXISTS fold_runs TO run_changes AS
WITH
    ['pending', 'active', 'retry', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped', 'stale', 'dismissed']
        AS state_names,
    arrived AS (
        SELECT (generation, service, job_type, job_id) AS job, stream_sequence AS sequence,
            (stream_sequence, true, stored_at, timestamp, event_type, state, handed_back, tries, error, concurrency, request_id,
             trace_id, instance_id, worker_version, actor_kind, actor_id, reason) AS event
        FROM journal
        WHERE quarantine_code = ''
    ),
    known AS (
        SELECT (generation, service, job_type, job_id) AS job, stream_sequence AS sequence,
            (stream_sequence, false, stored_at, timestamp, event_type, state, handed_back, tries, error, concurrency, request_id,
             trace_id, instance_id, worker_version, actor_kind, actor_id, reason) AS event
        FROM merge(currentDatabase(), '^journal$')
        WHERE quarantine_code = ''
          AND (generation, service, job_type, job_id) IN (SELECT job FROM arrived)
          AND stream_sequence NOT IN (SELECT sequence FROM arrived)
    ),
    jobs AS (
        SELECT job, arraySort(e -> e.sequence, groupArray((
            event.1, event.2, event.3, event.4, event.5, event.8, event.9, event.10, event.11, event.12, event.13, event.14,
            event.15, event.16, event.17,
            -- The states which the event may leave, one bit each; by default 0 to 4: no job yet, and those that are open.
            transform(event.5, ['created', 'skipped', 'retried', 'dismissed', 'staleCompletionIgnored'], [1, 27, 97, 65, 0], 31),
            -- The state that it enters; 0: none.
            if(event.7 AND event.5 = 'retry', 4, transform(event.5,
                ['created', 'retried', 'started', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped',
                 'stale', 'dismissed'], [1, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12], 0)),
            -- The state that its publisher says it leads to.
            indexOf(state_names, event.6)
        )::Tuple(
            sequence UInt64, is_new Bool, stored_at DateTime64(3, 'UTC'), at DateTime64(3, 'UTC'), type String, tries UInt32,
            error String, concurrency String, request_id String, trace_id String, instance String, version String,
            actor_kind String, actor String, reason String, leaves UInt16, enters UInt8, claims UInt8))) AS events
        FROM (SELECT * FROM arrived UNION ALL SELECT * FROM known)
        GROUP BY job
    ),
    folded AS (
        -- `past` ends with the state before the event; its first number is the state before all of them.
        SELECT job, events, arrayFold((past, leaves, enters, claims) -> arrayPushBack(past, if(
            bitTest(leaves, bitAnd(past[-1], 15)),
            -- An event that enters no state leaves it as it is; when the head is missing its word counts.
            multiIf(enters > 0, bitOr(enters, 16), past[-1] > 0, bitOr(past[-1], 16), bitOr(claims, 16)),
            bitAnd(past[-1], 15)
        )), events.leaves, events.enters, events.claims, [0::UInt8]) AS states
        FROM jobs
    ),
    told AS (
        SELECT job, events, arrayPopFront(states) AS after,
            -- Each event, in what the figures need of it, with the state before and after it.
            arrayZip(events.at, events.tries, events.enters, arrayPopBack(states), after, events.is_new, events.stored_at)
                ::Array(Tuple(at DateTime64(3, 'UTC'), tries UInt32, enters UInt8, before UInt8, after UInt8, is_new Bool,
                    stored_at DateTime64(3, 'UTC'))) AS story,
            arrayFirstIndex(s -> s >= 16, after) AS head,
            arrayLastIndex(s -> s.after >= 16 AND (s.before = 0 OR s.enters = 1), story) AS origin,
            arrayLastIndex(s -> s.after >= 16 AND s.enters = 2, story) AS latest_start,
            arrayLastIndex(s -> s >= 16, after) AS latest_effect,
            arrayLastIndex((s, error) -> s >= 16 AND error != '', after, events.error) AS latest_error,
            arrayLastIndex((s, concurrency) -> s >= 16 AND concurrency != '', after, events.concurrency) AS latest_concurrency
        FROM folded
        WHERE head > 0
    ),
    jobs_told AS (
        SELECT job, events[head] AS first_event, events[-1] AS last_event, length(events) AS total,
            arrayCount(s -> s < 16, after) AS ignored,
            events[if(latest_start >= origin, latest_start, 0)] AS start,
            events[if(after[-1] % 16 > 4, latest_effect, 0)] AS closing,
            events.error[latest_error] AS error, events.concurrency[latest_concurrency] AS concurrency,
            arrayCount(s -> s.after >= 16 AND (s.before = 0 OR s.enters = 1), story) AS run_count,
            arrayFilter(r -> r[1].after >= 16, arraySplit(s -> s.after >= 16 AND (s.before = 0 OR s.enters = 1), story)) AS runs
        FROM told
    ),
    runs AS (
        -- One row per run. Its beats: what begins or ends an attempt, the end of the run, a dismissal.
        SELECT job, first_event, last_event, total, ignored, start, closing, error, concurrency, number,
            number = run_count AS is_latest, run[1] AS origin, run[-1].after % 16 AS state_number,
            arrayFilter(s -> s.after >= 16 AND (s.enters IN (2, 3, 4) OR s.after % 16 > 4), run) AS beats
        FROM jobs_told
        ARRAY JOIN runs AS run, arrayEnumerate(runs) AS number
    ),
    attempts AS (
        -- A start after a hand-back goes on with the attempt that it belongs to.
        SELECT *, arrayFilter(b -> b.enters = 2, beats) AS starts,
            arrayMap(b -> b.enters = 2 AND b.before % 16 != 4, beats) AS begins,
            arrayCumSum(begins) AS attempt,
            beats[arrayFirstIndex(b -> b.after % 16 > 4, beats)] AS end,
            -- From each start to the next beat: a retry, the end, or the start that followed the loss of the worker.
            arrayFilter(p -> p.1, arrayMap((b, begins, next) ->
                (b.enters = 2, begins, greatest(0, dateDiff('millisecond', b.at, next.at))),
                arrayPopBack(beats), arrayPopBack(begins), arrayPopFront(beats))) AS parts
        FROM runs
    )
SELECT
    job.1 AS generation, job.2 AS service, job.3 AS job_type, job.4 AS job_id,
    toYYYYMM(first_event.stored_at) AS first_month, toDate(last_event.stored_at) AS stored_on,
    last_event.sequence AS last_sequence,
    is_latest, end.is_new AS ends_now, toDate(end.stored_at) AS end_stored_on,
    state_names[state_number] AS state, state_names[end.after % 16] AS outcome,
    first_event.at AS created_at, origin.at AS queued_at, origin.enters = 1 AS queued_known,
    if(notEmpty(starts), starts[1].at, NULL) AS first_started_at, if(notEmpty(starts), starts[-1].at, NULL) AS last_started_at,
    if(end.after > 0, end.at, NULL) AS ended_at,
    -- The publisher's number where it knows of more attempts than the history.
    arrayMax((b, n) -> if(b.enters IN (2, 3, 5, 6, 7, 11), greatest(toInt64(b.tries) - n, 0), 0), beats, attempt) + attempt[-1]
        AS attempts,
    arrayMap(part -> arraySum(part.3), arraySplit(p -> p.2, parts)) AS attempt_ms,
    number - 1 AS reruns, error,
    multiIf(closing.actor_kind != '', closing.actor_kind, ended_by != '', 'worker', '') AS ended_by_kind,
    multiIf(closing.actor_kind != '', closing.actor, closing.instance != '', closing.instance,
        closing.type IN ('completed', 'failed', 'dead', 'stale'), instance_id, '') AS ended_by,
    closing.reason AS reason,
    if(start.instance != '', start.instance, JSONExtractString(start.concurrency, 'instanceId')) AS instance_id,
    start.version AS worker_version,
    JSONExtractString(concurrency, 'key') AS key, JSONExtractString(concurrency, 'keyHash') AS key_hash,
    first_event.trace_id AS trace_id, first_event.request_id AS request_id, first_event.type != 'created' AS head_missing,
    total AS events, ignored AS ignored_events
FROM attempts
