-- Batches as the ledger's receipts opened them; n is the number of the receipt there.
CREATE TABLE batch (
  n           INTEGER PRIMARY KEY,
  variant     BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  best_before INTEGER,                       -- days since 1970
  lot         BLOB NOT NULL                  -- what the receipt says of it, as CBOR
) STRICT;
CREATE INDEX batch_by_date ON batch (best_before) WHERE best_before IS NOT NULL;

-- How much of each batch lies where; what is on hand beyond it is loose.
CREATE TABLE batch_stock (
  variant  BLOB NOT NULL,
  location BLOB NOT NULL,
  batch    INTEGER NOT NULL REFERENCES batch (n),
  amount   INTEGER NOT NULL CHECK (amount > 0),
  PRIMARY KEY (variant, location, batch)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_stock_by_batch ON batch_stock (batch);
