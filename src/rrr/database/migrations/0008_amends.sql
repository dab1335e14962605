-- A stop that is changed where it rests: what it was wished to be, and what the venue said it is.
INSERT INTO kinds VALUES (18, 'amend', 0);
DROP VIEW order_states;
CREATE VIEW order_states AS
SELECT session, book, number, at_ms, json_extract(core, '$[1]') AS sequence,
    'sending' AS state, 0 AS quantity, NULL AS rejection
FROM journal WHERE kind = 11 AND kind NOT IN (4, 5)
UNION ALL
SELECT session, book, number, at_ms, json_extract(core, '$[2]'), 'cancelling', 0, NULL
FROM journal WHERE kind = 12 AND kind NOT IN (4, 5)
UNION ALL
SELECT session, book, number, at_ms, json_extract(core, '$[2]'), 'amending',
    json_extract(core, '$[3]'), NULL
FROM journal WHERE kind = 18 AND kind NOT IN (4, 5)
UNION ALL
SELECT session, book, number, at_ms, json_extract(core, '$[2]'),
    CASE json_extract(core, '$[3]')
        WHEN 1 THEN 'accepted' WHEN 2 THEN 'filled' WHEN 3 THEN 'cancelled' WHEN 4 THEN 'rejected'
        WHEN 5 THEN 'triggered' WHEN 7 THEN 'amended' ELSE 'unknown' END,
    json_extract(core, '$[5]'), nullif(json_extract(core, '$[10]'), 0)
FROM journal WHERE kind = 6 AND kind NOT IN (4, 5);
