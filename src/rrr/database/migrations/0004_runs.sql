-- Research. Whatever is run over a history is a trial first, before anything of it is seen, and a
-- row of backtests once it is whole, under the same number. A run that is killed leaves its trial.
-- (`runs` are lives of a daemon.)

CREATE TABLE backtests (
    id INTEGER PRIMARY KEY REFERENCES trials,
    name TEXT NOT NULL UNIQUE,
    parent INTEGER REFERENCES trials CHECK (parent <> id),  -- the walk-forward that it is a part of
    command TEXT NOT NULL,
    strategy TEXT NOT NULL,
    settings TEXT NOT NULL CHECK (json_valid(settings)),  -- of each name its value and its origin
    history TEXT NOT NULL CHECK (json_valid(history)),  -- what decides it
    data_digest TEXT NOT NULL,
    core_hash TEXT NOT NULL,
    strategy_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    in_sample INTEGER NOT NULL CHECK (in_sample IN (0, 1)),
    synthetic INTEGER NOT NULL CHECK (synthetic IN (0, 1)),
    candles INTEGER NOT NULL CHECK (candles >= 0),
    seconds REAL NOT NULL CHECK (seconds >= 0),
    trades_path TEXT,
    report_path TEXT,
    metrics TEXT NOT NULL CHECK (json_valid(metrics)),
    days TEXT NOT NULL CHECK (json_valid(days))  -- of each UTC date the beginning of its digest
) STRICT;
CREATE INDEX backtests_by_parent ON backtests (parent, id);
CREATE TRIGGER backtests_are_never_changed BEFORE UPDATE ON backtests
BEGIN SELECT raise(ABORT, 'what a run came to is never changed'); END;

CREATE INDEX trials_by_family ON trials (family, recipe);
CREATE TRIGGER trials_are_told_once BEFORE UPDATE OF outcome ON trials
WHEN old.outcome IS NOT NULL
BEGIN SELECT raise(ABORT, 'the trial ledger is append-only'); END;

CREATE VIEW recent_backtests AS
SELECT b.name, strftime('%Y-%m-%d %H:%M:%S', t.at_ms / 1000, 'unixepoch') AS at_utc,
    b.strategy, t.family,
    json_extract(b.metrics, '$.total_ratio') AS return_ratio,
    json_extract(b.metrics, '$.sharpe') AS sharpe,
    json_extract(b.metrics, '$.drawdown_depth_ratio') AS drawdown_ratio,
    json_extract(b.metrics, '$.round_trips') AS round_trips,
    b.in_sample, b.synthetic, b.digest
FROM backtests b JOIN trials t USING (id)
ORDER BY b.id DESC;
