-- A shadow is a paper book of the same session that follows the principal's journal with words of
-- its own. follows: the last row of the principal that it met, written in the commit of its own rows,
-- so that a killed one goes on exactly; opens: the first row behind which it speaks.

CREATE TABLE shadows (
    session INTEGER NOT NULL,
    book INTEGER NOT NULL CHECK (book > 0),
    kind TEXT NOT NULL CHECK (kind IN ('random', 'hold', 'shuffled', 'model')),
    folder TEXT NOT NULL,
    delay INTEGER NOT NULL CHECK (delay >= 0),
    opens INTEGER NOT NULL,
    follows INTEGER NOT NULL,
    memory TEXT NOT NULL CHECK (json_valid(memory)),
    began_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    PRIMARY KEY (session, book),
    FOREIGN KEY (session, book) REFERENCES books
) STRICT, WITHOUT ROWID;
