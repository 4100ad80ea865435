-- Folds the jobs that an inserted block touches: all their lifecycle events of the block's history, those of the block and those
-- stored before. The rules are those of packages/lifecycle (transitions.ts, reduce.ts); fold-runs.property.int.test.ts compares.
-- Each job is folded whole every time, so that a block that is repeated, or that landed in part, gives the same rows.
-- Here journal is the block; the stored rows, which may hold the block already, are read through merge().
-- States by number: 1 pending, 2 active, 3 retry, 4 retry of work that was handed back; ended: 5 failed, 6 dead, 7 completed,
-- 8 cancelled, 9 expired, 10 skipped, 11 stale, 12 dismissed; 0 no job yet. Plus 16: the event had an effect.
CREATE MATERIALIZED VIEW IF NOT EXISTS fold_runs TO run_changes AS
WITH
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
            event.1, event.2, event.3, event.4, event.5, event.8, event.9, event.10, event.11, event.12, event.13, event.14, event.15,
            event.16, event.17,
            -- The states which the event may leave, one bit each; by default 0 to 4: no job yet, and those that are open.
            transform(event.5, ['created', 'skipped', 'retried', 'dismissed', 'staleCompletionIgnored'], [1, 27, 97, 65, 0], 31),
            -- The state that it enters; 0: none.
            if(event.7 AND event.5 = 'retry', 4, transform(event.5,
                ['created', 'retried', 'started', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped', 'stale', 'dismissed'],
                [1, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12], 0)),
            transform(event.6,
                ['pending', 'active', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped', 'stale', 'dismissed'],
                [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12], 0)
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
    stories AS (
        -- Each event with the state before and after it.
        SELECT job, events, arrayPopFront(states) AS after, arrayZip(events, arrayPopBack(states), after) AS story,
            arrayFirstIndex(s -> s >= 16, after) AS head,
            arrayCount(s -> s < 16, after) AS ignored,
            arrayLastIndex((e, s) -> s >= 16 AND e.error != '', events, after) AS last_error,
            arrayLastIndex((e, s) -> s >= 16 AND e.concurrency != '', events, after) AS last_concurrency
        FROM folded
    ),
    runs AS (
        -- One row per run. Its beats: what begins or ends an attempt, the end of the run, a dismissal.
        SELECT job, first_event, last_event, total, ignored, error, concurrency, run, number, number = length(runs) AS is_latest,
            arrayFilter(s -> s.3 >= 16 AND (s.1.type IN ('started', 'retry') OR s.3 % 16 > 4), run) AS beats
        FROM (
            SELECT job, events[head] AS first_event, events[-1] AS last_event, length(events) AS total, ignored,
                events[last_error].error AS error, events[last_concurrency].concurrency AS concurrency,
                arrayFilter(r -> r[1].3 >= 16,
                            arraySplit(s -> s.3 >= 16 AND (s.2 = 0 OR s.1.type = 'retried'), story)) AS runs
            FROM stories
            WHERE head > 0
        )
        ARRAY JOIN runs AS run, arrayEnumerate(runs) AS number
    ),
    attempts AS (
        -- A start after a hand-back goes on with the attempt that it belongs to.
        SELECT *, arrayFilter(b -> b.1.type = 'started', beats) AS starts,
            arrayMap(b -> b.1.type = 'started' AND b.2 % 16 != 4, beats) AS begins,
            arrayCumSum(begins) AS attempt,
            arrayFirstIndex(b -> b.3 % 16 > 4, beats) AS end_place
        FROM runs
    ),
    ends AS (
        SELECT *, beats[end_place] AS end, beats[if(end_place > 0, -1, 0)].1 AS closing,
            starts[-1].1 AS last_start,
            -- From each start to the next beat: a retry, the end, or the start that followed the loss of the worker.
            arrayFilter(p -> p.1, arrayMap((b, begins, next) ->
                (b.1.type = 'started', begins, greatest(0, dateDiff('millisecond', b.1.at, next.1.at))),
                arrayPopBack(beats), arrayPopBack(begins), arrayPopFront(beats))) AS parts
        FROM attempts
    )
SELECT
    job.1 AS generation, job.2 AS service, job.3 AS job_type, job.4 AS job_id,
    toYYYYMM(first_event.stored_at) AS first_month, toDate(last_event.stored_at) AS stored_on, last_event.sequence AS last_sequence,
    is_latest, end.1.is_new AS ends_now, toDate(end.1.stored_at) AS end_stored_on,
    ['pending', 'active', 'retry', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped', 'stale', 'dismissed'][run[-1].3 % 16] AS state,
    ['', '', '', '', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped', 'stale', 'dismissed'][end.3 % 16] AS outcome,
    first_event.at AS created_at, run[1].1.at AS queued_at, run[1].1.type IN ('created', 'retried') AS queued_known,
    if(notEmpty(starts), starts[1].1.at, NULL) AS first_started_at, if(notEmpty(starts), last_start.at, NULL) AS last_started_at,
    if(end_place > 0, end.1.at, NULL) AS ended_at,
    -- The publisher's number where it knows of more attempts than the history.
    arrayMax((b, n) -> if(b.1.type IN ('started', 'completed', 'failed', 'dead', 'stale') OR b.3 % 16 = 3,
        greatest(toInt64(b.1.tries) - n, 0), 0), beats, attempt) + attempt[-1] AS attempts,
    arrayMap(part -> arraySum(part.3), arraySplit(p -> p.2, parts)) AS attempt_ms,
    number - 1 AS reruns, error,
    multiIf(closing.actor_kind != '', closing.actor_kind, ended_by != '', 'worker', '') AS ended_by_kind,
    multiIf(closing.actor_kind != '', closing.actor, closing.instance != '', closing.instance,
        closing.type IN ('completed', 'failed', 'dead', 'stale'), instance_id, '') AS ended_by,
    closing.reason AS reason,
    if(last_start.instance != '', last_start.instance, JSONExtractString(last_start.concurrency, 'instanceId')) AS instance_id,
    last_start.version AS worker_version,
    JSONExtractString(concurrency, 'key') AS key, JSONExtractString(concurrency, 'keyHash') AS key_hash,
    first_event.trace_id AS trace_id, first_event.request_id AS request_id, first_event.type != 'created' AS head_missing,
    total AS events, ignored AS ignored_events
FROM ends
