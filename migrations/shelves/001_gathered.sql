-- Whole documents as shops signed them: what came after them is handed on in chunks.
CREATE TABLE gathered_snapshot (
  shop    BLOB NOT NULL CHECK (length(shop) = 16),
  bucket  INTEGER NOT NULL,
  head    BLOB NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (shop, bucket)
) STRICT;

-- What a shop's newest record said of it, and by which certificates its node signs.
CREATE TABLE gathered_shop (
  shop         BLOB PRIMARY KEY NOT NULL CHECK (length(shop) = 16),
  name         TEXT NOT NULL,
  lat_e7       INTEGER,
  lon_e7       INTEGER,
  heard_ms     INTEGER NOT NULL,
  certificates BLOB NOT NULL                 -- leaf first, as CBOR
) STRICT, WITHOUT ROWID;
