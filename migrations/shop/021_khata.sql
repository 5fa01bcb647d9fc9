-- Khata, the credit book: the signed entries are the truth, the columns beside them are worked out from
-- them.
CREATE TABLE khata (
  n               INTEGER PRIMARY KEY,
  id              BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  holder          BLOB,                        -- CBOR of the party; NULL while the person has no device
  wrapped_key     BLOB,                        -- NULL once the person was erased
  personal        BLOB,                        -- the hash of the part with name and phone
  balance_minor   INTEGER NOT NULL,
  limit_minor     INTEGER NOT NULL,
  dues            BLOB NOT NULL,               -- what is not paid yet, oldest first
  opened_ms       INTEGER NOT NULL,
  is_open         INTEGER NOT NULL,
  generation      INTEGER NOT NULL,
  seq             INTEGER NOT NULL,
  head            BLOB NOT NULL CHECK (length(head) = 32),
  signed_ms       INTEGER,                     -- when the customer countersigned last
  signed_head     BLOB,
  signed_minor    INTEGER,
  disputed_ms     INTEGER,                     -- since when the customer disagrees
  reminded_ms     INTEGER,
  claimed_ms      INTEGER,                     -- when a device was linked to it
  waits_for_heads INTEGER NOT NULL DEFAULT 0   -- after a restore, until its holder was heard
) STRICT;
CREATE UNIQUE INDEX khata_of_holder ON khata (holder) WHERE is_open AND holder IS NOT NULL;

CREATE TABLE khata_entry (
  khata_n    INTEGER NOT NULL REFERENCES khata (n),
  seq        INTEGER NOT NULL,
  lost       INTEGER NOT NULL DEFAULT 0,       -- 1: on a branch that lost to a higher generation
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  generation INTEGER NOT NULL,
  bytes      BLOB NOT NULL,
  for_entry  BLOB,                             -- the order's entry that moved the money
  PRIMARY KEY (khata_n, lost, seq, hash)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX khata_entry_by_hash ON khata_entry (hash) WHERE lost = 0;
CREATE UNIQUE INDEX khata_entry_once ON khata_entry (for_entry) WHERE lost = 0 AND for_entry IS NOT NULL;

-- What orders that were accepted may still take on credit: reserved against the limit.
CREATE TABLE khata_hold (
  order_n INTEGER PRIMARY KEY REFERENCES customer_order (n),
  khata_n INTEGER NOT NULL REFERENCES khata (n),
  minor   INTEGER NOT NULL CHECK (minor > 0)
) STRICT;
CREATE INDEX khata_hold_by_khata ON khata_hold (khata_n);

-- Name and phone, and the words of entries, encrypted under the book's own key.
CREATE TABLE khata_part (
  hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
  khata_n INTEGER NOT NULL REFERENCES khata (n),
  sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What customers signed about their books: the receipt that the shop holds.
CREATE TABLE khata_request (
  hash    BLOB PRIMARY KEY CHECK (length(hash) = 32),
  khata_n INTEGER NOT NULL REFERENCES khata (n),
  signer  BLOB NOT NULL CHECK (length(signer) = 32),
  bytes   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE outgoing ADD COLUMN khata_n INTEGER REFERENCES khata (n);
ALTER TABLE outgoing ADD COLUMN khata_page INTEGER;
CREATE UNIQUE INDEX outgoing_khata ON outgoing (device, khata_n, khata_page) WHERE khata_n IS NOT NULL;

-- Payments towards books, and money that went back from them, are money of the till.
CREATE TABLE takings_of_all (
  n        INTEGER PRIMARY KEY,
  at_ms    INTEGER NOT NULL,
  kind     TEXT NOT NULL CHECK (kind IN ('sale', 'payment', 'refund', 'paid_in', 'paid_out',
                                         'khata_payment', 'khata_refund')),
  means    TEXT NOT NULL,
  minor    INTEGER NOT NULL,
  order_n  INTEGER REFERENCES customer_order (n),
  entry    BLOB CHECK (entry IS NULL OR length(entry) = 32), -- the order's or khata's entry that says so
  movement INTEGER,                            -- the first movement of the sale
  who      BLOB,
  note     TEXT NOT NULL
) STRICT;
INSERT INTO takings_of_all SELECT n, at_ms, kind, means, minor, order_n, entry, movement, who, note FROM takings;
DROP TABLE takings;
ALTER TABLE takings_of_all RENAME TO takings;
CREATE UNIQUE INDEX takings_by_entry ON takings (entry) WHERE entry IS NOT NULL;
CREATE INDEX takings_by_time ON takings (at_ms);
CREATE INDEX takings_of_order ON takings (order_n) WHERE order_n IS NOT NULL;
