-- The walls: every fact has one home, money is INTEGER quanta (10^-8 of the quote), quantities are
-- grains, prices are points, times are UTC milliseconds. Views in decimals for people stand last.
--
-- The journal is the truth. orders, fills, transfers, equity, refusals, halts and positions are its
-- projections, written in the same transaction; everything else that a row of it says is a view.

CREATE TABLE instruments (
    id INTEGER PRIMARY KEY,
    venue TEXT NOT NULL,
    symbol TEXT NOT NULL,
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    points INTEGER NOT NULL CHECK (points BETWEEN 0 AND 18),
    grains INTEGER NOT NULL CHECK (grains BETWEEN 0 AND 18),
    UNIQUE (venue, symbol, points, grains)
) STRICT;

INSERT INTO instruments (venue, symbol, base, quote, points, grains) VALUES
    ('coinbase', 'BTC-USD', 'BTC', 'USD', 4, 8),
    ('coinbase', 'ETH-USD', 'ETH', 'USD', 4, 8),
    ('coinbase', 'SOL-USD', 'SOL', 'USD', 4, 8);

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL CHECK (json_valid(key)),
    mode TEXT NOT NULL CHECK (mode IN ('paper', 'live')),
    market TEXT NOT NULL,
    signals TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER,
    state_hash TEXT,
    summary TEXT CHECK (summary IS NULL OR json_valid(summary))
) STRICT;
CREATE INDEX sessions_by_key ON sessions (key, finished_at_ms);

CREATE TABLE books (
    session INTEGER NOT NULL REFERENCES sessions,
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (session, id)
) STRICT, WITHOUT ROWID;

-- A run is one life of a process; outcome is NULL while it lives.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    core_hash TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    outcome TEXT
) STRICT;
CREATE INDEX runs_by_session ON runs (session);

CREATE TABLE settings (
    run INTEGER NOT NULL REFERENCES runs,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- What a session calls instrument 0, 1, 2 …
CREATE TABLE session_instruments (
    session INTEGER NOT NULL REFERENCES sessions,
    number INTEGER NOT NULL,
    instrument INTEGER NOT NULL REFERENCES instruments,
    inferred INTEGER NOT NULL CHECK (inferred IN (0, 1)),
    source TEXT NOT NULL,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE kinds (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    enters INTEGER NOT NULL CHECK (enters IN (0, 1))
) STRICT;
INSERT INTO kinds VALUES
    (1, 'limits', 1), (2, 'listing', 1), (3, 'flow', 1), (4, 'close', 1), (5, 'signal', 1),
    (6, 'report', 1), (7, 'command', 1),
    (11, 'order', 0), (12, 'cancel', 0), (13, 'refused', 0), (14, 'halted', 0), (21, 'digest', 0);

-- core: what decides, what results. run, arrived_at_ms, note: the edge. chain: of both, row by row.
CREATE TABLE journal (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind INTEGER NOT NULL REFERENCES kinds,
    at_ms INTEGER NOT NULL,
    core TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs,
    arrived_at_ms INTEGER NOT NULL,
    note TEXT NOT NULL,
    chain BLOB NOT NULL,
    PRIMARY KEY (session, book, number),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;
-- Closes (4) and signals (5) are the many; all else is found by kind. A query that wants this index
-- says so in the index's own words: NOT IN (4, 5).
CREATE INDEX journal_by_kind ON journal (session, book, kind, number) WHERE kind NOT IN (4, 5);

-- A snapshot only saves time: state is the fold of the journal. Its seal is the hash of its
-- chain, its core's hash and its world, so that a changed one is not believed.
CREATE TABLE snapshots (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    core_hash TEXT NOT NULL,
    world TEXT NOT NULL CHECK (json_valid(world)),
    trace BLOB NOT NULL,
    chain BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (session, book, number),
    FOREIGN KEY (session, book, number) REFERENCES journal
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    kind TEXT NOT NULL,
    side INTEGER NOT NULL CHECK (side IN (-1, 1)),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price INTEGER NOT NULL CHECK (price > 0),
    cause TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    filled INTEGER NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND quantity),
    stage TEXT NOT NULL,
    PRIMARY KEY (session, book, sequence),
    FOREIGN KEY (session, book, number) REFERENCES journal,
    FOREIGN KEY (session, instrument) REFERENCES session_instruments
) STRICT, WITHOUT ROWID;

CREATE TABLE fills (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    side INTEGER NOT NULL CHECK (side IN (-1, 1)),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price INTEGER NOT NULL CHECK (price > 0),
    notional INTEGER NOT NULL CHECK (notional >= 0),
    fee INTEGER NOT NULL,
    fee_grains INTEGER NOT NULL,
    profit INTEGER,
    PRIMARY KEY (session, book, number),
    FOREIGN KEY (session, book, number) REFERENCES journal,
    FOREIGN KEY (session, book, sequence) REFERENCES orders
) STRICT, WITHOUT ROWID;
CREATE INDEX fills_by_order ON fills (session, book, sequence);

CREATE TABLE places (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO places VALUES (1, 'cash'), (2, 'position'), (3, 'market'), (4, 'fees'), (5, 'flows');

-- An amount leaves one account and enters another. Currency 0 is the quote, 1 + i the base of i.
CREATE TABLE transfers (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    number INTEGER NOT NULL,
    part INTEGER NOT NULL,
    source INTEGER NOT NULL REFERENCES places,
    target INTEGER NOT NULL REFERENCES places,
    currency INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (session, book, number, part),
    FOREIGN KEY (session, book, number) REFERENCES journal,
    CHECK (source <> target)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    paid INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    worth INTEGER NOT NULL,
    stop_price INTEGER NOT NULL,
    target_price INTEGER NOT NULL,
    PRIMARY KEY (session, book, instrument),
    FOREIGN KEY (session, instrument) REFERENCES session_instruments
) STRICT, WITHOUT ROWID;

CREATE TABLE equity (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    cash INTEGER NOT NULL,
    worth INTEGER NOT NULL,
    invested INTEGER NOT NULL,
    peak INTEGER NOT NULL,
    PRIMARY KEY (session, book, at_ms),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;

-- One row while the reason stays the same; `times` counts.
CREATE TABLE refusals (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    number INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    reason TEXT NOT NULL,
    first_at_ms INTEGER NOT NULL,
    last_at_ms INTEGER NOT NULL,
    times INTEGER NOT NULL CHECK (times > 0),
    PRIMARY KEY (session, book, instrument, number),
    FOREIGN KEY (session, book, number) REFERENCES journal
) STRICT, WITHOUT ROWID;

CREATE TABLE halts (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (session, book, number),
    FOREIGN KEY (session, book, number) REFERENCES journal
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    made_at_ms INTEGER NOT NULL,
    proven INTEGER NOT NULL CHECK (proven IN (0, 1)),
    manifest TEXT NOT NULL CHECK (json_valid(manifest))
) STRICT;
INSERT INTO models VALUES (0, 'baseline', 0, 0, '{"what": "volatility-targeted trend"}');

-- Append-only: every configuration ever evaluated on history counts against the next verdict.
CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    session INTEGER REFERENCES sessions,
    family TEXT NOT NULL,
    recipe TEXT NOT NULL CHECK (json_valid(recipe)),
    outcome TEXT CHECK (outcome IS NULL OR json_valid(outcome))
) STRICT;
CREATE TRIGGER trials_are_never_changed BEFORE UPDATE OF at_ms, session, family, recipe ON trials
BEGIN SELECT raise(ABORT, 'the trial ledger is append-only'); END;
CREATE TRIGGER trials_are_never_forgotten BEFORE DELETE ON trials
BEGIN SELECT raise(ABORT, 'the trial ledger is append-only'); END;

CREATE TABLE system_events (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    run INTEGER REFERENCES runs,
    name TEXT NOT NULL,
    detail TEXT NOT NULL CHECK (json_valid(detail))
) STRICT;
CREATE INDEX system_events_by_run ON system_events (run, id);

-- Below, for people: `SELECT * FROM recent_fills`.

CREATE VIEW units AS
SELECT s.session, s.number AS instrument, i.symbol, i.base, i.quote, i.points, i.grains, i.venue,
    pow10p.value AS point_parts, pow10g.value AS grain_parts
FROM session_instruments s
JOIN instruments i ON i.id = s.instrument
JOIN json_each('[1.0,1e1,1e2,1e3,1e4,1e5,1e6,1e7,1e8,1e9,1e10,1e11,1e12,1e13,1e14,1e15,1e16,1e17,1e18]')
    pow10p ON pow10p.key = i.points
JOIN json_each('[1.0,1e1,1e2,1e3,1e4,1e5,1e6,1e7,1e8,1e9,1e10,1e11,1e12,1e13,1e14,1e15,1e16,1e17,1e18]')
    pow10g ON pow10g.key = i.grains;

CREATE VIEW postings AS
SELECT session, book, number, part, target AS place, currency, amount FROM transfers
UNION ALL
SELECT session, book, number, part, source, currency, -amount FROM transfers;

CREATE VIEW active_positions AS
SELECT s.name AS session, b.name AS book, u.symbol,
    p.quantity / u.grain_parts AS quantity,
    p.paid / 1e8 AS paid,
    p.mark / u.point_parts AS mark,
    p.worth / 1e8 AS worth,
    (p.worth - p.paid) / 1e8 AS unrealised_pnl,
    p.stop_price / u.point_parts AS stop,
    p.target_price / u.point_parts AS target,
    strftime('%Y-%m-%d %H:%M:%S', p.at_ms / 1000, 'unixepoch') AS at_utc
FROM positions p
JOIN units u ON u.session = p.session AND u.instrument = p.instrument
JOIN sessions s ON s.id = p.session
JOIN books b ON b.session = p.session AND b.id = p.book
WHERE p.quantity > 0;

CREATE VIEW recent_fills AS
SELECT s.name AS session, b.name AS book, u.symbol,
    strftime('%Y-%m-%d %H:%M:%S', f.at_ms / 1000, 'unixepoch') AS at_utc,
    iif(f.side = 1, 'buy', 'sell') AS side,
    f.quantity / u.grain_parts AS quantity,
    f.price / u.point_parts AS price,
    f.notional / 1e8 AS notional,
    f.fee / 1e8 AS fee,
    f.profit / 1e8 AS round_trip_pnl,
    o.cause
FROM fills f
JOIN orders o ON o.session = f.session AND o.book = f.book AND o.sequence = f.sequence
JOIN units u ON u.session = f.session AND u.instrument = f.instrument
JOIN sessions s ON s.id = f.session
JOIN books b ON b.session = f.session AND b.id = f.book
ORDER BY f.session DESC, f.book, f.number DESC;

CREATE VIEW daily_performance AS
WITH days AS (
    SELECT session, book, (at_ms - 1) / 86400000 AS day, max(at_ms) AS last_at_ms
    FROM equity GROUP BY session, book, day
), closing AS (
    SELECT e.session, e.book, d.day, e.cash + e.worth AS equity, e.invested, e.peak
    FROM days d
    JOIN equity e ON e.session = d.session AND e.book = d.book AND e.at_ms = d.last_at_ms
), steps AS (
    SELECT *, equity - invested
        - lag(equity - invested, 1, 0) OVER (PARTITION BY session, book ORDER BY day) AS pnl
    FROM closing
)
SELECT s.name AS session, b.name AS book,
    strftime('%Y-%m-%d', c.day * 86400, 'unixepoch') AS day_utc,
    c.equity / 1e8 AS equity, c.pnl / 1e8 AS pnl,
    round(1.0 * c.pnl / (c.equity - c.pnl), 6) AS pnl_ratio,
    round(1.0 * (c.peak - c.equity) / c.peak, 6) AS drawdown_ratio
FROM steps c
JOIN sessions s ON s.id = c.session
JOIN books b ON b.session = c.session AND b.id = c.book;

-- What the journal's rows say, by name. The positions are those of the core's records.

CREATE VIEW events AS
SELECT j.session, j.book, j.number, k.name AS kind, j.at_ms, j.core, j.run, j.arrived_at_ms, j.note
FROM journal j JOIN kinds k ON k.id = j.kind WHERE k.enters = 1;

CREATE VIEW decisions AS
SELECT j.session, j.book, j.number, k.name AS kind, j.at_ms, j.core, j.run, j.arrived_at_ms, j.note
FROM journal j JOIN kinds k ON k.id = j.kind WHERE k.enters = 0;

CREATE VIEW candles AS
SELECT j.session, j.book, j.number, json_extract(c.value, '$[0]') AS instrument,
    json_extract(j.core, '$[1]') AS opened_at_ms, j.at_ms AS closed_at_ms,
    json_extract(c.value, '$[1]') AS open, json_extract(c.value, '$[2]') AS high,
    json_extract(c.value, '$[3]') AS low, json_extract(c.value, '$[4]') AS close,
    json_extract(c.value, '$[5]') AS volume, json_extract(c.value, '$[6]') AS source
FROM journal j, json_each(j.core, '$[2]') c WHERE j.kind = 4;

CREATE VIEW signals AS
SELECT j.session, j.book, j.number, j.at_ms, json_extract(j.core, '$[1]') AS instrument,
    json_extract(j.core, '$[2]') AS conviction_bps, m.name AS model
FROM journal j JOIN models m ON m.id = json_extract(j.core, '$[3]') WHERE j.kind = 5;

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
        WHEN 1 THEN 'accepted' WHEN 2 THEN 'filled' WHEN 3 THEN 'cancelled' ELSE 'rejected' END,
    json_extract(core, '$[5]'), nullif(json_extract(core, '$[10]'), 0)
FROM journal WHERE kind = 6 AND kind NOT IN (4, 5);

-- The law in force from each of these moments on: core.state.Law, field by field.
CREATE VIEW risk_limits AS
SELECT j.session, j.book, j.number, j.at_ms,
    json_extract(j.core, '$[1][7]') AS exposure_max_bps,
    json_extract(j.core, '$[1][8]') AS gross_max_bps,
    json_extract(j.core, '$[1][9]') AS book_volatility_max_ppm,
    json_extract(j.core, '$[1][10]') AS orders_per_minute_max,
    json_extract(j.core, '$[1][11]') AS order_notional_max,
    json_extract(j.core, '$[1][12]') AS loss_24h_max_bps,
    json_extract(j.core, '$[1][13]') AS drawdown_max_bps,
    json_extract(j.core, '$[1][14]') AS cooldown_ms,
    json_extract(j.core, '$[1][15]') AS stale_ms,
    json_extract(j.core, '$[1][16]') AS synthetic_may_open
FROM journal j WHERE j.kind = 1 AND j.kind NOT IN (4, 5);

CREATE VIEW digests AS
SELECT session, book, number, at_ms, json_extract(core, '$[1]') AS digest
FROM journal WHERE kind = 21 AND kind NOT IN (4, 5);
