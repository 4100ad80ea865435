-- Folds the jobs that an inserted block touches, as before and with the same result, in a query that is planned in half the time:
-- for a handful of events planning is nearly all of the work. What is known of each row alone is said once, in `told`; columns
-- travel together, as tuples; no condition is asked in more than one lambda.
-- Made anew under its name rather than altered: a block that is sent again must not be new to the tables behind it.
-- Here journal is the block; the stored rows, which may hold the block already, are read through merge().
-- A step is what an event makes of the job. Its low four bits are the state: 1 pending, 2 active, 3 retry, 4 retry of work that
-- was handed back; ended: 5 failed, 6 dead, 7 completed, 8 cancelled, 9 expired, 10 skipped, 11 stale, 12 dismissed; 0 no job
-- yet. Plus 16: the event had an effect; 32: it begins a run; 64: it begins an attempt; 128: a report, which says the state itself.
-- So bitAnd(step, 143) = 2 is a start, and 1 the beginning of a run that says when it was asked for.
CREATE MATERIALIZED VIEW IF NOT EXISTS fold_runs TO run_changes AS
WITH
    ['pending', 'active', 'retry', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped', 'stale', 'dismissed']
        AS state_names,
    told AS (
        SELECT job, sequence, stored_at, ids,
            -- The states which the event may leave, one bit each; by default 0 to 4: no job yet, and those that are open.
            transform(event_type, ['created', 'skipped', 'retried', 'dismissed', 'staleCompletionIgnored'],
                [1, 27, 97, 65, 0], 31) AS leaves,
            if(handed_back AND event_type = 'retry', 20, transform(event_type,
                ['created', 'retried', 'started', 'retry', 'failed', 'dead', 'completed', 'cancelled', 'expired', 'skipped',
                 'stale', 'dismissed'], [49, 49, 82, 19, 21, 22, 23, 24, 25, 26, 27, 28], 0)) AS enters,
            (sequence, leaves,
             -- A report counts where `created` is missing: then the state that its publisher says.
             if(enters > 0, enters, 144 + indexOf(state_names, state)), is_new, stored_at, timestamp,
             -- Of workers' events that tell of an attempt: started, retry, failed, dead, completed, stale.
             if(bitTest(2284, bitAnd(enters, 15)), tries, 0), words)
            ::Tuple(sequence UInt64, leaves UInt16, step UInt8, is_new Bool, stored_at DateTime64(3, 'UTC'),
                at DateTime64(3, 'UTC'), tries UInt32, words Tuple(error String, concurrency String, instance String,
                    version String, actor_kind String, actor String, reason String)) AS event
        FROM (
            SELECT (generation, service, job_type, job_id) AS job, stream_sequence AS sequence, true AS is_new, stored_at,
                timestamp, event_type, state, tries, handed_back, (request_id, trace_id) AS ids,
                (error, concurrency, instance_id, worker_version, actor_kind, actor_id, reason) AS words
            FROM journal
            WHERE quarantine_code = ''
            UNION ALL
            SELECT (generation, service, job_type, job_id) AS job, stream_sequence AS sequence, false AS is_new, stored_at,
                timestamp, event_type, state, tries, handed_back, (request_id, trace_id) AS ids,
                (error, concurrency, instance_id, worker_version, actor_kind, actor_id, reason) AS words
            FROM merge(currentDatabase(), '^journal$')
            WHERE quarantine_code = ''
              AND (generation, service, job_type, job_id) IN (
                  SELECT generation, service, job_type, job_id FROM journal WHERE quarantine_code = '')
              AND stream_sequence NOT IN (SELECT stream_sequence FROM journal WHERE quarantine_code = '')
        )
    ),
    jobs AS (
        -- Any event that has an effect at all may be the first one of a job. Reports (progress, logged, …) may be very many, and
        -- change nothing but what is counted: of these only the head is folded.
        SELECT job, argMinIf(event, sequence, leaves > 0) AS head, groupArrayIf(event, enters > 0) AS acts,
            groupArrayIf((sequence, 0, 1), enters = 0 AND leaves > 0) AS reports,
            argMin(ids, sequence) AS ids, max((sequence, stored_at)) AS last, count() AS total,
            countIf(leaves = 0) AS without_effect
        FROM told
        GROUP BY job
        HAVING head.sequence > 0
    ),
    sorted AS (
        SELECT job, head, reports, ids, last, total, without_effect,
            arraySort(if(head.step >= 128, arrayPushFront(acts, head), acts)) AS events
        FROM jobs
    ),
    folded AS (
        -- `past` ends with the step before the event; its first number is the state before all of them.
        SELECT job, head, events, reports, ids, last, total, without_effect,
            arrayFold((past, leaves, step) -> arrayPushBack(past, if(
                bitTest(leaves, bitAnd(past[-1], 15)),
                -- A start after a hand-back goes on with the attempt that it belongs to.
                multiIf(bitAnd(past[-1], 15) = 0, bitOr(step, 32), bitAnd(past[-1], 15) = 4, bitAnd(step, 191), step),
                bitAnd(past[-1], 15)
            )), events.leaves, events.step, [0::UInt8]) AS states
        FROM sorted
    ),
    effects AS (
        SELECT job, head, ids, last, total,
            arrayFilter((e, step) -> step >= 16, events, arrayPopFront(states)) AS effective,
            arrayFilter(step -> step >= 16, states) AS steps,
            -- Where execution ends (1) and where it is begun again (-1), and all reports: those in between come too late.
            arraySort(arrayConcat(reports, arrayZip(events.sequence,
                arrayPopFront(arrayDifference(arrayMap(step -> bitAnd(step, 15) > 4, states))),
                arrayWithConstant(length(events), 0)))) AS edges,
            without_effect + length(events) - length(steps) AS not_applied
        FROM folded
    ),
    stories AS (
        -- Of each event that had an effect: 1 the event, 2 its step, 3 the number of its run, 4 milliseconds until the next one
        -- (-1: there is none).
        SELECT job, head, ids, last, total, not_applied + arrayDotProduct(edges.3, arrayCumSum(edges.2)) AS ignored,
            arrayZip(effective, steps, arrayCumSum(step -> bitTest(step, 5), steps), arrayPushBack(
                arrayMap((at, next) -> greatest(0, dateDiff('millisecond', at, next)),
                    arrayPopBack(effective.at), arrayPopFront(effective.at)), -1)) AS story
        FROM effects
    ),
    runs AS (
        SELECT job, head, ids, last, total, ignored, run, run[1] AS origin, run[-1].2 AS closed, story[-1].3 AS run_count,
            arrayLast(e -> e.1.words.error != '' AND e.2 < 128, story).1.words.error AS error,
            arrayLast(e -> e.1.words.concurrency != '' AND e.2 < 128, story).1.words.concurrency AS concurrency,
            arrayFirst(e -> bitAnd(e.2, 15) > 4, run) AS end,
            -- The end, or the dismissal after it.
            arrayLast(e -> bitAnd(e.2, 15) > 4 AND e.2 < 128, run) AS closing,
            arrayFilter(e -> bitAnd(e.2, 143) = 2, run) AS starts,
            arrayCumSum(e -> bitTest(e.2, 6), run) AS begun
        FROM stories
        ARRAY JOIN arraySplit(e -> bitTest(e.2, 5), story) AS run
    ),
    attempts AS (
        SELECT job, head, ids, last, total, ignored, origin, closed, run_count, error, concurrency, end,
            closing.1.words AS end_words, notEmpty(starts) AS started, starts[1].1.at AS first_start,
            starts[-1].1.at AS last_start, starts[-1].1.words AS start_words,
            if(start_words.instance != '', start_words.instance, JSONExtractString(start_words.concurrency, 'instanceId'))
                AS instance,
            multiIf(end_words.actor_kind != '', end_words.actor, end_words.instance != '', end_words.instance,
                -- Ended by a worker: failed, dead, completed, stale.
                bitAnd(closing.2, 15) IN (5, 6, 7, 11), instance, '') AS ender,
            -- The publisher's number where it knows of more attempts than the history.
            greatest(arrayMax((e, n) -> toInt64(e.1.tries) - n, run, begun), 0) + begun[-1] AS attempts,
            -- From each start to what came next: a retry, the end, or the start that followed the loss of the worker.
            arrayMap(part -> arraySum(part.4), arraySplit(e -> bitTest(e.2, 6), arrayFilter(e -> e.4 >= 0, starts)))
                AS attempt_ms
        FROM runs
    )
SELECT
    job.1 AS generation, job.2 AS service, job.3 AS job_type, job.4 AS job_id,
    toYYYYMM(head.stored_at) AS first_month, toDate(last.2) AS stored_on, last.1 AS last_sequence,
    origin.3 = run_count AS is_latest, end.1.is_new AS ends_now, toDate(end.1.stored_at) AS end_stored_on,
    state_names[bitAnd(closed, 15)] AS state, state_names[bitAnd(end.2, 15)] AS outcome,
    head.at AS created_at, origin.1.at AS queued_at, bitAnd(origin.2, 143) = 1 AS queued_known,
    if(started, first_start, NULL) AS first_started_at, if(started, last_start, NULL) AS last_started_at,
    if(end.2 > 0, end.1.at, NULL) AS ended_at,
    attempts, attempt_ms, origin.3 - 1 AS reruns, error,
    multiIf(end_words.actor_kind != '', end_words.actor_kind, ender != '', 'worker', '') AS ended_by_kind, ender AS ended_by,
    end_words.reason AS reason, instance AS instance_id, start_words.version AS worker_version,
    JSONExtractString(concurrency, 'key') AS key, JSONExtractString(concurrency, 'keyHash') AS key_hash,
    ids.2 AS trace_id, ids.1 AS request_id,
    -- Only created can leave no other state than that of no job.
    head.leaves != 1 AS head_missing,
    total AS events, ignored AS ignored_events
FROM attempts
