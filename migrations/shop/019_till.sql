-- Money that changed hands in the shop, in minor units of its currency; what went out is below zero.
CREATE TABLE takings (
  n        INTEGER PRIMARY KEY,
  at_ms    INTEGER NOT NULL,
  kind     TEXT NOT NULL CHECK (kind IN ('sale', 'payment', 'refund', 'paid_in', 'paid_out')),
  means    TEXT NOT NULL,
  minor    INTEGER NOT NULL,
  order_n  INTEGER REFERENCES customer_order (n),
  entry    BLOB CHECK (entry IS NULL OR length(entry) = 32), -- the order's entry that says so
  movement INTEGER,                            -- the first movement of the sale
  who      BLOB,
  note     TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX takings_by_entry ON takings (entry) WHERE entry IS NOT NULL;
CREATE INDEX takings_by_time ON takings (at_ms);

-- A till from the float in the morning to the count in the evening.
CREATE TABLE till_day (
  id             BLOB PRIMARY KEY CHECK (length(id) = 16),
  opened_ms      INTEGER NOT NULL,
  opened_by      BLOB NOT NULL,
  float_minor    INTEGER NOT NULL CHECK (float_minor >= 0),
  closed_ms      INTEGER,
  closed_by      BLOB,
  expected_minor INTEGER,
  counted_minor  INTEGER,
  note           TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- One till is open at a time.
CREATE UNIQUE INDEX till_day_open ON till_day (closed_ms IS NULL) WHERE closed_ms IS NULL;
