-- Credit books of shops, as their boxes signed them: this device's copy.
CREATE TABLE khata (
  khata_id  BLOB PRIMARY KEY CHECK (length(khata_id) = 16),
  shop_id   BLOB NOT NULL REFERENCES shop,
  seq       INTEGER NOT NULL,                 -- of the last entry that counts
  head      BLOB NOT NULL CHECK (length(head) = 32),
  heard_at  INTEGER NOT NULL,                 -- when the shop was heard about it last
  shop_seq  INTEGER                           -- how far the shop said that its copy goes
) STRICT, WITHOUT ROWID;

CREATE TABLE khata_entry (
  khata_id  BLOB NOT NULL CHECK (length(khata_id) = 16),
  hash      BLOB NOT NULL CHECK (length(hash) = 32),
  seq       INTEGER NOT NULL,
  bytes     BLOB NOT NULL,
  place     INTEGER NOT NULL CHECK (place IN (0, 1, 2)), -- 0: it counts, 1: it lost, 2: it came early
  PRIMARY KEY (khata_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX khata_entry_by_seq ON khata_entry (khata_id, seq);
