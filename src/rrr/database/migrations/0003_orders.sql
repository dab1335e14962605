-- Orders of every kind: what they wait for, how long, and with whom. The assumptions of the paper
-- venue enter as an event, as do candles of a finer timeframe, prints and depths that decide fills.

INSERT INTO kinds VALUES
    (10, 'assumed', 1), (15, 'detail', 1), (16, 'print', 1), (17, 'depth', 1);

ALTER TABLE orders ADD COLUMN limit_price INTEGER NOT NULL DEFAULT 0;  -- of a stop-limit
ALTER TABLE orders ADD COLUMN trail INTEGER NOT NULL DEFAULT 0;  -- points, of a trailing stop
ALTER TABLE orders ADD COLUMN partner INTEGER NOT NULL DEFAULT 0;  -- the other leg of an OCO
ALTER TABLE orders ADD COLUMN time_in_force TEXT NOT NULL DEFAULT 'ioc';
ALTER TABLE orders ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN post_only INTEGER NOT NULL DEFAULT 0 CHECK (post_only IN (0, 1));
ALTER TABLE orders ADD COLUMN reduce_only INTEGER NOT NULL DEFAULT 0 CHECK (reduce_only IN (0, 1));

ALTER TABLE fills ADD COLUMN maker INTEGER NOT NULL DEFAULT 0 CHECK (maker IN (0, 1));

-- What the paper venue assumes from each of these moments on: core.matching.Assumptions.
CREATE VIEW assumptions AS
SELECT session, book, number, at_ms,
    json_extract(core, '$[1][0]') AS latency_ms,
    json_extract(core, '$[1][1]') AS participation_ppm,
    json_extract(core, '$[1][2]') AS touch_share_ppm,
    json_extract(core, '$[1][3]') AS by_touch
FROM journal WHERE kind = 10 AND kind NOT IN (4, 5);

-- What a cancel, an unknown answer or a triggered stop is called.
DROP VIEW order_states;
CREATE VIEW order_states AS
SELECT session, book, number, at_ms, json_extract(core, '$[1]') AS sequence,
    'sending' AS state, 0 AS quantity, NULL AS rejection
FROM journal WHERE kind = 11 AND kind NOT IN (4, 5)
UNION ALL
SELECT session, book, number, at_ms, json_extract(core, '$[2]'), 'cancelling', 0, NULL
FROM journal WHERE kind = 12 AND kind NOT IN (4, 5)
UNION ALL
SELECT session, book, number, at_ms, json_extract(core, '$[2]'),
    CASE json_extract(core, '$[3]')
        WHEN 1 THEN 'accepted' WHEN 2 THEN 'filled' WHEN 3 THEN 'cancelled' WHEN 4 THEN 'rejected'
        WHEN 5 THEN 'triggered' ELSE 'unknown' END,
    json_extract(core, '$[5]'), nullif(json_extract(core, '$[10]'), 0)
FROM journal WHERE kind = 6 AND kind NOT IN (4, 5);
