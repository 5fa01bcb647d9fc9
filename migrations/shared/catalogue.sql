-- Catalogues, as a shop keeps its own and a household keeps those of the shops it chose.

-- How far each document of a catalogue is stored.
CREATE TABLE catalogue_bucket (
  shop       BLOB NOT NULL CHECK (length(shop) = 16),
  bucket     INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  products   INTEGER NOT NULL,
  PRIMARY KEY (shop, bucket)
) STRICT, WITHOUT ROWID;

-- Each document as it was after chunk `n`; the chunks after it bring it up to date.
CREATE TABLE catalogue_base (
  shop     BLOB NOT NULL,
  bucket   INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  document BLOB NOT NULL,
  PRIMARY KEY (shop, bucket)
) STRICT;

-- Chunks with the heads that were signed for them, to be read again and handed on.
CREATE TABLE catalogue_chunk (
  shop       BLOB NOT NULL,
  bucket     INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  head       BLOB NOT NULL,
  content    BLOB NOT NULL,
  PRIMARY KEY (shop, bucket, n)
) STRICT;

-- What people search and buy from: projected from the documents, never edited.
CREATE TABLE product (
  row      INTEGER PRIMARY KEY,
  shop     BLOB NOT NULL CHECK (length(shop) = 16),
  id       BLOB NOT NULL CHECK (length(id) = 16),
  bucket   INTEGER NOT NULL,
  listed   INTEGER NOT NULL,
  in_stock INTEGER NOT NULL,
  UNIQUE (shop, id)
) STRICT;
CREATE INDEX product_by_shelf ON product (shop, listed, in_stock DESC, row);

-- Apart from the narrow rows that a search sorts.
CREATE TABLE product_value (
  row   INTEGER PRIMARY KEY REFERENCES product (row) ON DELETE CASCADE,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE variant (
  shop    BLOB NOT NULL,
  id      BLOB NOT NULL CHECK (length(id) = 16),
  product INTEGER NOT NULL REFERENCES product (row) ON DELETE CASCADE,
  gtin    INTEGER,
  sku     TEXT,
  PRIMARY KEY (shop, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX variant_by_product ON variant (product);
CREATE INDEX variant_by_gtin ON variant (gtin) WHERE gtin IS NOT NULL;
CREATE INDEX variant_by_sku ON variant (shop, sku) WHERE sku IS NOT NULL;

-- Folded words only, so that every byte beyond ASCII is part of a word.
CREATE VIRTUAL TABLE product_fts USING fts5 (
  name, words,
  content = '', contentless_delete = 1, detail = column, prefix = '2 3', tokenize = 'ascii'
);
INSERT INTO product_fts (product_fts, rank) VALUES ('rank', 'bm25(8.0, 2.0)');
