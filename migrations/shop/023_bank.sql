-- What came into the shop's bank account, line by line of its statements.
CREATE TABLE bank_line (
  n         INTEGER PRIMARY KEY,
  reference TEXT NOT NULL,                -- the bank's own, or a digest of the line
  day       INTEGER NOT NULL,             -- since 1970
  minor     INTEGER NOT NULL CHECK (minor > 0),
  text      TEXT NOT NULL,
  read_ms   INTEGER NOT NULL,
  taking    INTEGER,                      -- the row of the takings that it is
  aside     TEXT,                         -- or why it pays nothing here
  who       BLOB,                         -- who said so; nobody where the line named its order
  UNIQUE (reference, day, minor)
) STRICT;
CREATE UNIQUE INDEX bank_line_by_taking ON bank_line (taking) WHERE taking IS NOT NULL;
CREATE INDEX orders_by_number ON customer_order (number);
CREATE INDEX orders_by_id ON customer_order (id);
CREATE INDEX bank_line_open ON bank_line (n) WHERE taking IS NULL AND aside IS NULL;
