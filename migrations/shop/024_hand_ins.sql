-- Cash that somebody took for orders and handed in: what the till says they took up to row `until` of
-- the takings, and what was counted, in minor units.
CREATE TABLE hand_in (
  n              INTEGER PRIMARY KEY,
  courier        BLOB NOT NULL,
  at_ms          INTEGER NOT NULL,
  who            BLOB NOT NULL,
  expected_minor INTEGER NOT NULL,
  counted_minor  INTEGER NOT NULL CHECK (counted_minor >= 0),
  until          INTEGER NOT NULL,
  note           TEXT NOT NULL
) STRICT;
CREATE INDEX hand_in_by_courier ON hand_in (courier, until);
