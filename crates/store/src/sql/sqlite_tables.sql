-- The journal as tables, for plain SQL. Views: they show what the journal holds, and nothing can be written to them.
-- The Postgres tables of the same names have the same columns.

CREATE INDEX journal_by_kind ON journal (kind, seq);

CREATE VIEW events AS
SELECT seq, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS timestamp, kind, variant, body
FROM journal;

-- What the law did not allow, and what it asked a person about who has not said yes.
CREATE VIEW violations AS
SELECT
    e.seq,
    e.timestamp,
    CASE e.kind WHEN 'refused' THEN 'forbid' WHEN 'asked' THEN 'ask' ELSE json_extract(e.body, '$.decision') END AS decision,
    coalesce(json_extract(e.body, '$.article'), json_extract(e.body, '$.request.article')) AS article,
    coalesce(json_extract(e.body, '$.reason'), json_extract(e.body, '$.request.reason')) AS reason,
    CASE e.kind WHEN 'violated' THEN json_extract(e.body, '$.source') ELSE 'proposal' END AS source,
    json_extract(e.body, '$.step') AS step,
    coalesce(json_extract(e.body, '$.operation'), json_extract(e.body, '$.request.operation'),
             json_extract(e.body, '$.change')) AS operation
FROM events e
WHERE e.kind IN ('refused', 'violated', 'asked')
  AND (e.kind <> 'asked' OR json_extract(e.body, '$.request.id') NOT IN (
        SELECT json_extract(w.body, '$.request') FROM journal w
        WHERE w.kind = 'answered' AND json_extract(w.body, '$.granted')));

-- What a person was asked, and what came of it.
CREATE VIEW approvals AS
WITH answers AS (
    SELECT timestamp, body, json_extract(body, '$.request') AS request,
           row_number() OVER (PARTITION BY json_extract(body, '$.request') ORDER BY seq DESC) AS place
    FROM events WHERE kind = 'answered'
), uses AS (
    SELECT json_extract(body, '$.request') AS request, max(timestamp) AS timestamp
    FROM events WHERE kind = 'used' GROUP BY json_extract(body, '$.request')
)
SELECT
    q.seq,
    q.timestamp,
    json_extract(q.body, '$.request.id') AS request,
    CASE WHEN u.request IS NOT NULL THEN 'used'
         WHEN a.request IS NULL THEN 'waiting'
         WHEN json_extract(a.body, '$.granted') THEN 'approved'
         ELSE 'denied' END AS status,
    json_extract(q.body, '$.request.article') AS article,
    json_extract(q.body, '$.request.reason') AS reason,
    json_extract(q.body, '$.request.risk') AS risk,
    json_extract(q.body, '$.step') AS step,
    json_extract(q.body, '$.request.operation') AS operation,
    a.timestamp AS answered,
    json_extract(a.body, '$.key') AS signed_by,
    json_extract(a.body, '$.reason') AS answer,
    strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(a.body, '$.expires') / 1000.0, 'unixepoch') AS expires,
    u.timestamp AS used
FROM events q
LEFT JOIN answers a ON a.request = json_extract(q.body, '$.request.id') AND a.place = 1
LEFT JOIN uses u ON u.request = json_extract(q.body, '$.request.id')
WHERE q.kind = 'asked';

-- What was applied to the user's own tree, and what was taken back.
CREATE VIEW promotions AS
SELECT
    seq,
    timestamp,
    CASE kind WHEN 'promoted' THEN 'promoted' ELSE 'rolled back' END AS action,
    coalesce(json_extract(body, '$.variant'), json_extract(body, '$.to')) AS variant,
    coalesce(json_extract(body, '$.previous'), json_extract(body, '$.from')) AS previous,
    json_extract(body, '$.commit') AS git_commit,
    json_extract(body, '$.unproven') AS unproven,
    json_extract(body, '$.reason') AS reason
FROM events
WHERE kind IN ('promoted', 'rolled_back');

-- Every step's proposal and what came of it.
CREATE VIEW attempts AS
WITH lines AS (
    SELECT seq, timestamp, kind, variant, body, json_extract(body, '$.step') AS step,
           sum(kind = 'run_started') OVER (ORDER BY seq) AS run
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
    json_extract(b.body, '$.parents[0]') AS parent,
    json_extract(b.body, '$.arm') AS arm,
    CASE WHEN json_extract(b.body, '$.outcome.proposed') IS NOT NULL THEN 'proposed'
         WHEN json_extract(b.body, '$.outcome.unusable') IS NOT NULL THEN 'unusable'
         ELSE 'exhausted' END AS outcome,
    coalesce(json_extract(b.body, '$.outcome.proposed.reason'), json_extract(b.body, '$.outcome.unusable.reason')) AS reason,
    coalesce(json_extract(b.body, '$.cost.tokens'), 0) AS tokens,
    coalesce(json_extract(b.body, '$.cost.usd'), 0) / 1e6 AS usd,
    v.variant,
    CASE o.kind WHEN 'judged' THEN json_extract(o.body, '$.judgement.verdict') WHEN 'refused' THEN 'refused'
         WHEN 'duplicate' THEN 'tried before' WHEN 'asked' THEN 'waiting' END AS verdict,
    coalesce(json_extract(o.body, '$.judgement.reason'), json_extract(o.body, '$.reason'),
             json_extract(o.body, '$.request.reason')) AS grounds
FROM lines b
LEFT JOIN outcomes o ON o.run = b.run AND o.step = b.step AND o.place = 1
LEFT JOIN variants v ON v.run = b.run AND v.step = b.step
WHERE b.kind = 'bid';
