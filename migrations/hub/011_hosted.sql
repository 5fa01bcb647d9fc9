-- The devices that the hub keeps for accounts without one of their own: their keys, sealed. What a
-- device holds lies in a database of its own.
CREATE TABLE hosted (
  account BLOB PRIMARY KEY CHECK (length(account) = 16),
  keys    BLOB NOT NULL,
  address BLOB NOT NULL,                     -- where mail for the device is kept
  waits   INTEGER NOT NULL DEFAULT 0         -- whether an order is open or something is to be sent
) STRICT, WITHOUT ROWID;
