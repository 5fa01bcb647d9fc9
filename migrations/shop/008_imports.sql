-- Imports that can be gone on with after a crash, and taken back. Reports of earlier ones stay as they are.
CREATE TABLE import_run (
  id          BLOB PRIMARY KEY CHECK (length(id) = 16),
  state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'undoing', 'undone')),
  who         BLOB NOT NULL CHECK (length(who) = 16),
  begun_ms    INTEGER NOT NULL,
  ended_ms    INTEGER,
  settings    TEXT NOT NULL,                 -- JSON: how the file is to be read
  file        TEXT,                          -- where it lies, if it lies anywhere
  digest      BLOB NOT NULL CHECK (length(digest) = 32), -- of its bytes
  bytes_total INTEGER NOT NULL,
  bytes_done  INTEGER NOT NULL DEFAULT 0,
  rows_done   INTEGER NOT NULL DEFAULT 0,    -- records of which all that they led to is stored
  added       INTEGER NOT NULL DEFAULT 0,
  changed     INTEGER NOT NULL DEFAULT 0,
  unchanged   INTEGER NOT NULL DEFAULT 0,
  refused     INTEGER NOT NULL DEFAULT 0,
  restored    INTEGER NOT NULL DEFAULT 0,    -- products that were put back when it was undone
  problem     TEXT                           -- why it failed
) STRICT, WITHOUT ROWID;
CREATE INDEX import_run_by_file ON import_run (digest);

-- What was said about lines, and about products that an undoing left alone.
CREATE TABLE import_note (
  n       INTEGER PRIMARY KEY,
  import  BLOB NOT NULL REFERENCES import_run (id),
  kind    TEXT NOT NULL CHECK (kind IN ('refused', 'warning', 'left')),
  line    INTEGER NOT NULL,
  code    TEXT NOT NULL,
  message TEXT NOT NULL
) STRICT;
CREATE INDEX import_note_by_import ON import_note (import, kind, line);

-- Each product that an import made or changed, as it was before.
CREATE TABLE import_product (
  import   BLOB NOT NULL REFERENCES import_run (id),
  product  BLOB NOT NULL CHECK (length(product) = 16),
  line     INTEGER NOT NULL,
  added    INTEGER NOT NULL,                 -- 1: the import put it on the shelf
  former   BLOB,                             -- CBOR; NULL where it was not on the shelf before
  became   BLOB NOT NULL CHECK (length(became) = 32), -- digest of the product after the import
  received BLOB NOT NULL,                    -- CBOR: opening stock by variant
  undone   BLOB CHECK (length(undone) = 32), -- digest of the product after it was put back
  PRIMARY KEY (import, product)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_product_by_product ON import_product (product, import);
