-- Invoices and credit notes: numbered without gaps within a generation of the shop, in the transaction
-- that writes the order's entry they are for. What stands on them is kept as it was issued.
CREATE TABLE invoice (
  kind       TEXT NOT NULL CHECK (kind IN ('invoice', 'credit_note')),
  generation INTEGER NOT NULL,
  n          INTEGER NOT NULL CHECK (n >= 1),
  order_n    INTEGER NOT NULL REFERENCES customer_order (n),
  entry      BLOB NOT NULL UNIQUE CHECK (length(entry) = 32),
  at_ms      INTEGER NOT NULL,
  facts      TEXT NOT NULL,
  PRIMARY KEY (kind, generation, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX invoice_by_order ON invoice (order_n);
CREATE INDEX invoice_by_time ON invoice (at_ms);
