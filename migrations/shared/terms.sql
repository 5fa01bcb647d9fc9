-- On which terms shops hand goods over: the newest that each signed.
CREATE TABLE shop_terms (
  shop       BLOB PRIMARY KEY CHECK (length(shop) = 16),
  generation INTEGER NOT NULL,
  n          INTEGER NOT NULL,  -- only goes up within a generation
  signed     BLOB NOT NULL
) STRICT, WITHOUT ROWID;
