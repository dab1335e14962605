-- What a model thought at each close of each instrument, also where it said nothing, and why:
-- `rrr explain` makes it anew. NULL is what was not known. score: how far off was what it said a
-- horizon earlier, known at this close.

CREATE TABLE opinions (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    closed_at_ms INTEGER NOT NULL,
    instrument INTEGER NOT NULL,
    model INTEGER NOT NULL REFERENCES models,
    run INTEGER NOT NULL REFERENCES runs,
    conviction_bps INTEGER,
    reason TEXT NOT NULL,
    mean REAL,
    probability REAL,
    low REAL,
    high REAL,
    alpha REAL,
    unit_return REAL,
    cost_return REAL,
    outside_ratio REAL,
    unknown INTEGER NOT NULL,
    candle_age_ms INTEGER NOT NULL,
    model_age_ms INTEGER NOT NULL,
    psi REAL,
    psi_max REAL,
    psi_feature TEXT NOT NULL,
    losses_worse INTEGER NOT NULL CHECK (losses_worse IN (0, 1)),
    score REAL,
    PRIMARY KEY (session, book, closed_at_ms, instrument),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;

-- What a model remembers beside closes and opinions: one line, replaced with each commit.
CREATE TABLE monitors (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    model INTEGER NOT NULL REFERENCES models,
    state TEXT NOT NULL CHECK (json_valid(state)),
    PRIMARY KEY (session, book, model),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;
