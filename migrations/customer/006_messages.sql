-- What was written about orders, encrypted, under the salted hash by which entries and requests name
-- it.
CREATE TABLE message (
  hash     BLOB PRIMARY KEY CHECK (length(hash) = 32),
  order_id BLOB NOT NULL CHECK (length(order_id) = 16),
  sealed   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
