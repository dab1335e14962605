-- Touches enter beside the closes, and models are adopted. Touches are as many as signals and yet
-- stay in the index of kinds: it costs 4 % of the file, and leaving them out slows every row, for
-- SQLite tests NOT IN (4, 5) faster than a list of three.

INSERT INTO kinds VALUES (8, 'touch', 1), (9, 'adopted', 1);

-- Best bid and ask at a closing time, in points.
CREATE VIEW touches AS
SELECT session, book, number, at_ms, json_extract(core, '$[1]') AS instrument,
    json_extract(core, '$[2]') AS bid, json_extract(core, '$[3]') AS ask
FROM journal WHERE kind = 8 AND kind NOT IN (4, 5);

-- Whose signals are obeyed from each of these closing times on.
CREATE VIEW adoptions AS
SELECT j.session, j.book, j.number, j.at_ms, m.name AS model
FROM journal j INDEXED BY journal_by_kind JOIN models m ON m.id = json_extract(j.core, '$[1]')
WHERE j.kind = 9 AND j.kind NOT IN (4, 5);
