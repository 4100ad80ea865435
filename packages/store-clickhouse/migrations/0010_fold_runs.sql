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
        SELECT (generation, service, job_type, job_id) AS job, stream_sequence AS sequence, true AS is_new, stored_at, timestamp,
            event_type, state, tries, handed_back, request_id, trace_id,
            (stream_sequence, error, concurrency, instance_id, worker_version, actor_kind, actor_id, reason) AS words
        FROM journal
        WHERE quarantine_code = ''
    ),
    known AS (
        SELECT (generation, service, job_type, job_id) AS job, stream_sequence AS sequence, false AS is_new, stored_at, timestamp,
            event_type, state, tries, handed_back, request_id, trace_id,
            (stream_sequence, error, concurrency, instance_id, worker_version, actor_kind, actor_id, reason) AS words
        FROM merge(currentDatabase(), '^journal$')
        WHERE quarantine_code = ''
          AND (generation, service, job_type, job_id) IN (SELECT job FROM arrived)
          AND stream_sequence NOT IN (SELECT sequence FROM arrived)
    ),
    told AS (
        SELECT job, sequence, stored_at, request_id, trace_id, words,
            -- The states which the event may leave, one bit each; by default 0 to 4: no job yet, and those that are open.
            transform(event_type, ['created', 'skipped', 'retried', 'dismissed', 'staleCompletionIgnored'],
                [1, 27, 97, 65, 0], 31) AS leaves,
            -- The state that it enters; 0: none.
            if(handed_back AND event_type = 'retry', 4, transform(event_type,
                ['created', 'retried', 'started', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped',
                 'stale', 'dismissed'], [1, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12], 0)) AS enters,
            (sequence, is_new, stored_at, timestamp, tries, words.2 != '' AND enters > 0, words.3 != '' AND enters > 0, leaves,
             enters,
             -- The state that its publisher says it leads to.
             indexOf(state_names, state))
            ::Tuple(sequence UInt64, is_new Bool, stored_at DateTime64(3, 'UTC'), at DateTime64(3, 'UTC'), tries UInt32,
                has_error Bool, has_key Bool, leaves UInt16, enters UInt8, claims UInt8) AS event
        FROM (SELECT * FROM arrived UNION ALL SELECT * FROM known)
    ),
    jobs AS (
        -- Reports (progress, logged, …) may be very many, and change nothing but what is counted: of these only the first one of
        -- a job is folded, since it is the head where `created` is missing.
        SELECT job,
            arraySort(e -> e.sequence, arrayFilter(e -> e.sequence > 0, arrayPushBack(
                groupArrayIf(event, enters > 0), argMinIf(event, sequence, enters = 0 AND leaves > 0)))) AS events,
            groupArrayIf(sequence, enters = 0 AND leaves > 0) AS reports,
            groupArrayIf(words::Tuple(sequence UInt64, error String, concurrency String, instance String, version String,
                actor_kind String, actor String, reason String), enters > 0) AS words,
            argMin(request_id, sequence) AS request_id, argMin(trace_id, sequence) AS trace_id,
            max(sequence) AS last_sequence, argMax(stored_at, sequence) AS last_stored_at, count() AS total,
            countIf(leaves = 0) AS without_effect
        FROM told
        GROUP BY job
    ),
    folded AS (
        -- `past` ends with the state before the event; its first number is the state before all of them.
        SELECT *, arrayFold((past, leaves, enters, claims) -> arrayPushBack(past, if(
            bitTest(leaves, bitAnd(past[-1], 15)),
            -- An event that enters no state leaves it as it is; when the head is missing its word counts.
            multiIf(enters > 0, bitOr(enters, 16), past[-1] > 0, bitOr(past[-1], 16), bitOr(claims, 16)),
            bitAnd(past[-1], 15)
        )), events.leaves, events.enters, events.claims, [0::UInt8]) AS states
        FROM jobs
        WHERE notEmpty(events)
    ),
    stories AS (
        -- Each event with the state before and after it.
        SELECT * EXCEPT (events, states), arrayMap((e, before, after) ->
            (e.sequence, e.is_new, e.stored_at, e.at, e.tries, e.has_error, e.has_key, e.leaves, e.enters, before, after,
             after >= 16 AND (before = 0 OR e.enters = 1))
            ::Tuple(sequence UInt64, is_new Bool, stored_at DateTime64(3, 'UTC'), at DateTime64(3, 'UTC'), tries UInt32,
                has_error Bool, has_key Bool, leaves UInt16, enters UInt8, before UInt8, after UInt8, begins_run Bool),
            events, arrayPopBack(states), arrayPopFront(states)) AS story
        FROM folded
    ),
    summed AS (
        SELECT * EXCEPT story, arrayFirst(e -> e.begins_run, story) AS head,
            -- Of the latest run: its last start, and what it ended with.
            arrayLast(e -> e.begins_run OR (e.after >= 16 AND e.enters = 2), story) AS latest_start,
            arrayLast(e -> e.after >= 16, story) AS closing,
            arrayLast(e -> e.after >= 16 AND e.has_error, story).sequence AS error_sequence,
            arrayLast(e -> e.after >= 16 AND e.has_key, story).sequence AS key_sequence,
            arrayCount(e -> e.after < 16 AND e.enters > 0, story) AS not_applied,
            -- Where execution ends (1) and where it is begun again (-1): reports in between come too late.
            arrayFilter(edge -> edge.2 != 0, arrayMap(e -> (e.sequence, multiIf(e.after < 16, 0,
                e.after % 16 > 4 AND e.before % 16 <= 4, 1, e.begins_run AND e.before > 0, -1, 0)), story)) AS edges,
            if(notEmpty(edges), edges[1].1, last_sequence) AS first_end,
            arrayCount(e -> e.begins_run, story) AS run_count,
            arrayFilter(run -> run[1].begins_run, arraySplit(e -> e.begins_run, story)) AS runs
        FROM stories
    ),
    spoken AS (
        SELECT job, head, last_sequence, last_stored_at, total, request_id, trace_id, run_count, runs,
            arraySort(arrayConcat(edges, arrayMap(sequence -> (sequence, 0),
                arrayFilter(sequence -> sequence > first_end, reports)))) AS late,
            without_effect + not_applied + arrayCount((at, ended) -> at.2 = 0 AND ended > 0, late, arrayCumSum(late.2)) AS ignored,
            words[indexOf(words.sequence, error_sequence)].error AS error,
            words[indexOf(words.sequence, key_sequence)].concurrency AS concurrency,
            words[if(latest_start.enters = 2, indexOf(words.sequence, latest_start.sequence), 0)] AS start_words,
            words[if(closing.after % 16 > 4, indexOf(words.sequence, closing.sequence), 0)] AS end_words,
            closing.enters IN (5, 6, 7, 11) AS ended_by_worker
        FROM summed
    ),
    runs AS (
        -- One row per run. Its beats: what begins or ends an attempt, the end of the run, a dismissal.
        SELECT job, head, last_sequence, last_stored_at, total, ignored, request_id, trace_id, error, concurrency, start_words,
            end_words, ended_by_worker,
            if(start_words.instance != '', start_words.instance, JSONExtractString(start_words.concurrency, 'instanceId'))
                AS instance,
            number, number = run_count AS is_latest, run[1] AS origin,
            run[-1].after % 16 AS state_number,
            arrayFilter(e -> e.after >= 16 AND (e.enters IN (2, 3, 4) OR e.after % 16 > 4), run) AS beats
        FROM spoken
        ARRAY JOIN runs AS run, arrayEnumerate(runs) AS number
    ),
    attempts AS (
        -- A start after a hand-back goes on with the attempt that it belongs to.
        SELECT *,
            multiIf(end_words.actor_kind != '', end_words.actor, end_words.instance != '', end_words.instance,
                end_words.sequence > 0 AND ended_by_worker, instance, '') AS ender,
            arrayFilter(b -> b.enters = 2, beats) AS starts,
            arrayMap(b -> b.enters = 2 AND b.before % 16 != 4, beats) AS begins,
            arrayCumSum(begins) AS attempt,
            arrayFirst(b -> b.after % 16 > 4, beats) AS end,
            -- From each start to the next beat: a retry, the end, or the start that followed the loss of the worker.
            arrayFilter(p -> p.1, arrayMap((b, begins, next) ->
                (b.enters = 2, begins, greatest(0, dateDiff('millisecond', b.at, next.at))),
                arrayPopBack(beats), arrayPopBack(begins), arrayPopFront(beats))) AS parts
        FROM runs
    )
SELECT
    job.1 AS generation, job.2 AS service, job.3 AS job_type, job.4 AS job_id,
    toYYYYMM(head.stored_at) AS first_month, toDate(last_stored_at) AS stored_on, last_sequence,
    is_latest, end.is_new AS ends_now, toDate(end.stored_at) AS end_stored_on,
    state_names[state_number] AS state, state_names[end.after % 16] AS outcome,
    head.at AS created_at, origin.at AS queued_at, origin.enters = 1 AS queued_known,
    if(notEmpty(starts), starts[1].at, NULL) AS first_started_at, if(notEmpty(starts), starts[-1].at, NULL) AS last_started_at,
    if(end.after > 0, end.at, NULL) AS ended_at,
    -- The publisher's number where it knows of more attempts than the history.
    arrayMax((b, n) -> if(b.enters IN (2, 3, 5, 6, 7, 11), greatest(toInt64(b.tries) - n, 0), 0), beats, attempt) + attempt[-1]
        AS attempts,
    arrayMap(part -> arraySum(part.3), arraySplit(p -> p.2, parts)) AS attempt_ms,
    number - 1 AS reruns, error,
    multiIf(end_words.actor_kind != '', end_words.actor_kind, ender != '', 'worker', '') AS ended_by_kind, ender AS ended_by,
    end_words.reason AS reason, instance AS instance_id,
    start_words.version AS worker_version,
    JSONExtractString(concurrency, 'key') AS key, JSONExtractString(concurrency, 'keyHash') AS key_hash,
    trace_id, request_id,
    -- Only created can leave no other state than that of no job.
    head.leaves != 1 AS head_missing,
    total AS events, ignored AS ignored_events
FROM attempts
