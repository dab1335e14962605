-- What real fills cost was compared with what paper assumes (`rrr costs --fit`): the ramp of live
-- trading waits for it. figures: all that was found then.

CREATE TABLE fits (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    round_trips INTEGER NOT NULL CHECK (round_trips >= 0),
    figures TEXT NOT NULL CHECK (json_valid(figures)),
    PRIMARY KEY (session, book, at_ms),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;
