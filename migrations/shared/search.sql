-- One order for every search, decided when a product is written and not when somebody asks.

-- `rank` is the product's number in `product_fts`: lower is shown before higher (see index.rs).
-- Nothing while it is not indexed. Amounts are in minor units; what has no price comes last.
ALTER TABLE product ADD COLUMN rank INTEGER;
ALTER TABLE product ADD COLUMN price INTEGER NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE product ADD COLUMN unit_price INTEGER NOT NULL DEFAULT 9223372036854775807;
-- Its folded names, one a line, the one that is shown first.
ALTER TABLE product ADD COLUMN folded TEXT NOT NULL DEFAULT '';
ALTER TABLE product ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;
ALTER TABLE product ADD COLUMN category TEXT;
-- Its diets, each between two bars; nothing where none is known.
ALTER TABLE product ADD COLUMN diets TEXT;

DROP INDEX product_by_shelf;
CREATE INDEX product_in_order ON product (in_stock, row) WHERE listed = 1;
CREATE INDEX product_by_price ON product (in_stock, price, row) WHERE listed = 1;
CREATE INDEX product_by_unit_price ON product (in_stock, unit_price, row) WHERE listed = 1;
CREATE INDEX product_by_name ON product (in_stock, substr(folded, 1, 60), row) WHERE listed = 1;

-- The product as it is shown, in JSON, ready but for its last brace.
ALTER TABLE product_value ADD COLUMN shown TEXT NOT NULL DEFAULT '';

-- Folded words only, so that every byte beyond ASCII is part of a word.
DROP TABLE product_fts;
CREATE VIRTUAL TABLE product_fts USING fts5 (
  name, words,
  content = '', contentless_delete = 1, detail = column, prefix = '1 2 3 4 5', tokenize = 'ascii'
);

-- Every word that was ever indexed, by its end and by its sound: what a mistyped one may mean.
CREATE TABLE word (
  word     TEXT PRIMARY KEY,
  reversed TEXT NOT NULL,
  sound    TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX word_by_end ON word (reversed);
CREATE INDEX word_by_sound ON word (sound, word) WHERE sound IS NOT NULL;
