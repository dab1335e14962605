-- Live. What the seam to a real venue writes: text ids, and how far each order has come on its way.
-- The core knows an order by (session, book, sequence); the venue by the ids here.

CREATE TABLE live_orders (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    venue TEXT NOT NULL,
    client_id TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    side INTEGER NOT NULL CHECK (side IN (-1, 1)),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    venue_id TEXT NOT NULL DEFAULT '',  -- '': it has told us none
    state TEXT NOT NULL
        CHECK (state IN ('new', 'sending', 'placed', 'unknown', 'ended', 'rejected')),
    intent_at_ms INTEGER NOT NULL,
    sending_at_ms INTEGER NOT NULL DEFAULT 0,
    settled_at_ms INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, book, sequence),
    UNIQUE (venue, client_id),
    FOREIGN KEY (session, book, sequence) REFERENCES orders,
    FOREIGN KEY (session, instrument) REFERENCES session_instruments,
    CHECK (state = 'new' OR sending_at_ms > 0 OR settled_at_ms > 0)
) STRICT, WITHOUT ROWID;

-- A trade of the venue becomes a fill once: its own id keeps it from being booked again.
CREATE TABLE live_trades (
    venue TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    fill INTEGER NOT NULL CHECK (fill > 0),
    at_ms INTEGER NOT NULL,
    venue_id TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price INTEGER NOT NULL CHECK (price > 0),
    notional INTEGER NOT NULL CHECK (notional >= 0),
    fee INTEGER NOT NULL,
    fee_grains INTEGER NOT NULL,
    fee_coin TEXT NOT NULL,
    fee_parts INTEGER NOT NULL,
    rounded INTEGER NOT NULL CHECK (rounded >= 0),
    PRIMARY KEY (venue, trade_id),
    UNIQUE (session, book, sequence, fill),
    FOREIGN KEY (session, book, sequence) REFERENCES live_orders
) STRICT, WITHOUT ROWID;
CREATE TRIGGER live_trades_are_never_changed BEFORE UPDATE ON live_trades
BEGIN SELECT raise(ABORT, 'what the venue exchanged is never changed'); END;
CREATE TRIGGER live_trades_are_never_forgotten BEFORE DELETE ON live_trades
BEGIN SELECT raise(ABORT, 'what the venue exchanged is never forgotten'); END;

-- What is not ours: orders, trades and movements of others. aside: what the account has of a
-- currency and the book has not; flow: quanta that entered or left the book.
CREATE TABLE quarantine (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('order', 'trade', 'movement', 'beginning')),
    id TEXT NOT NULL,
    currency INTEGER NOT NULL CHECK (currency >= 0),
    instrument INTEGER NOT NULL CHECK (instrument >= -1),  -- -1: it touches none of the book's
    aside INTEGER NOT NULL,
    flow INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    released_at_ms INTEGER,
    words TEXT NOT NULL,
    PRIMARY KEY (session, book, kind, id, currency),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;

-- The book's balances beside the venue's own, once a day and at each start.
CREATE TABLE tie_outs (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    currency INTEGER NOT NULL CHECK (currency >= 0),
    ours INTEGER NOT NULL,
    aside INTEGER NOT NULL,
    theirs INTEGER NOT NULL,
    slack INTEGER NOT NULL CHECK (slack >= 0),
    PRIMARY KEY (session, book, at_ms, currency),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;

CREATE VIEW last_tie_out AS
SELECT session, book, currency, at_ms, ours, aside, theirs, slack,
    theirs - ours - aside AS difference,
    theirs - ours - aside NOT BETWEEN 0 AND slack AS differs
FROM tie_outs t
WHERE at_ms = (SELECT max(at_ms) FROM tie_outs WHERE session = t.session AND book = t.book);
