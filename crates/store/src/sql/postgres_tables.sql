-- The journal as tables, for plain SQL. Views: they show what the journal holds, and nothing can be written to them.
-- The SQLite tables of the same names have the same columns.

CREATE VIEW events AS
SELECT seq, to_timestamp(at / 1000.0) AS timestamp, kind, variant,
       replace(body, '\u0000', '\ufffd')::jsonb AS body
FROM journal;

-- What the law did not allow, and what it asked a person about who has not said yes.
CREATE VIEW violations AS
SELECT
    e.seq,
    e.timestamp,
    CASE e.kind WHEN 'refused' THEN 'forbid' WHEN 'asked' THEN 'ask' ELSE e.body ->> 'decision' END AS decision,
    coalesce(e.body ->> 'article', e.body #>> '{request,article}') AS article,
    coalesce(e.body ->> 'reason', e.body #>> '{request,reason}') AS reason,
    CASE e.kind WHEN 'violated' THEN e.body ->> 'source' ELSE 'proposal' END AS source,
    (e.body ->> 'step')::bigint AS step,
    coalesce(e.body -> 'operation', e.body #> '{request,operation}',
             e.body -> 'change') AS operation
FROM events e
WHERE e.kind IN ('refused', 'violated', 'asked')
  AND (e.kind <> 'asked' OR e.body #>> '{request,id}' NOT IN (
        SELECT w.body ->> 'request' FROM events w
        WHERE w.kind = 'answered' AND (w.body ->> 'granted')::boolean));

-- What a person was asked, and what came of it.
CREATE VIEW approvals AS
WITH answers AS (
    SELECT timestamp, body, body ->> 'request' AS request,
           row_number() OVER (PARTITION BY body ->> 'request' ORDER BY seq DESC) AS place
    FROM events WHERE kind = 'answered'
), uses AS (
    SELECT body ->> 'request' AS request, max(timestamp) AS timestamp
    FROM events WHERE kind = 'used' GROUP BY body ->> 'request'
)
SELECT
    q.seq,
    q.timestamp,
    q.body #>> '{request,id}' AS request,
    CASE WHEN u.request IS NOT NULL THEN 'used'
         WHEN a.request IS NULL THEN 'waiting'
         WHEN (a.body ->> 'granted')::boolean THEN 'approved'
         ELSE 'denied' END AS status,
    q.body #>> '{request,article}' AS article,
    q.body #>> '{request,reason}' AS reason,
    q.body #>> '{request,risk}' AS risk,
    (q.body ->> 'step')::bigint AS step,
    q.body #> '{request,operation}' AS operation,
    a.timestamp AS answered,
    a.body ->> 'key' AS signed_by,
    a.body ->> 'reason' AS answer,
    to_timestamp((a.body ->> 'expires')::numeric / 1000.0) AS expires,
    u.timestamp AS used
FROM events q
LEFT JOIN answers a ON a.request = q.body #>> '{request,id}' AND a.place = 1
LEFT JOIN uses u ON u.request = q.body #>> '{request,id}'
WHERE q.kind = 'asked';

-- What was applied to the user's own tree, and what was taken back.
CREATE VIEW promotions AS
SELECT
    seq,
    timestamp,
    CASE kind WHEN 'promoted' THEN 'promoted' ELSE 'rolled back' END AS action,
    coalesce(body ->> 'variant', body ->> 'to') AS variant,
    coalesce(body ->> 'previous', body ->> 'from') AS previous,
    body ->> 'commit' AS git_commit,
    (body ->> 'unproven')::boolean AS unproven,
    body ->> 'reason' AS reason
FROM events
WHERE kind IN ('promoted', 'rolled_back');

-- Every step's proposal and what came of it.
CREATE VIEW attempts AS
WITH lines AS (
    SELECT seq, timestamp, kind, variant, body, (body ->> 'step')::bigint AS step,
           count(*) FILTER (WHERE kind = 'run_started') OVER (ORDER BY seq) AS run
    FROM events
    WHERE kind IN ('run_started', 'bid', 'admitted', 'judged', 'refused', 'duplicate', 'asked')
), outcomes AS (
    SELECT *, row_number() OVER (PARTITION BY run, step ORDER BY seq DESC) AS place
    FROM lines WHERE kind IN ('judged', 'refused', 'duplicate', 'asked')
), variants AS (
    SELECT run, step, max(variant) AS variant FROM lines WHERE kind = 'admitted' GROUP BY run, step
)
SELECT
    b.seq,
    b.timestamp,
    b.run,
    b.step,
    b.body #>> '{parents,0}' AS parent,
    (b.body ->> 'arm')::integer AS arm,
    CASE WHEN b.body #>> '{outcome,proposed}' IS NOT NULL THEN 'proposed'
         WHEN b.body #>> '{outcome,unusable}' IS NOT NULL THEN 'unusable'
         ELSE 'exhausted' END AS outcome,
    coalesce(b.body #>> '{outcome,proposed,reason}', b.body #>> '{outcome,unusable,reason}') AS reason,
    coalesce((b.body #>> '{cost,tokens}')::bigint, 0) AS tokens,
    coalesce((b.body #>> '{cost,usd}')::numeric, 0) / 1000000 AS usd,
    v.variant,
    CASE o.kind WHEN 'judged' THEN o.body #>> '{judgement,verdict}' WHEN 'refused' THEN 'refused'
         WHEN 'duplicate' THEN 'tried before' WHEN 'asked' THEN 'waiting' END AS verdict,
    coalesce(o.body #>> '{judgement,reason}', o.body ->> 'reason',
             o.body #>> '{request,reason}') AS grounds
FROM lines b
LEFT JOIN outcomes o ON o.run = b.run AND o.step = b.step AND o.place = 1
LEFT JOIN variants v ON v.run = b.run AND v.step = b.step
WHERE b.kind = 'bid';
