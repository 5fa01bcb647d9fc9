-- What shops say of the tree of categories, projected from the index documents of their catalogues.
CREATE TABLE category (
  shop  BLOB NOT NULL CHECK (length(shop) = 16),
  entry BLOB NOT NULL CHECK (length(entry) = 16),
  value BLOB NOT NULL,
  PRIMARY KEY (shop, entry)
) STRICT, WITHOUT ROWID;

-- The shelves of those categories that stand elsewhere in a shop's tree than in the built-in one.
CREATE TABLE category_shelves (
  shop    BLOB NOT NULL CHECK (length(shop) = 16),
  id      TEXT NOT NULL,
  shelves TEXT NOT NULL,
  PRIMARY KEY (shop, id)
) STRICT, WITHOUT ROWID;

-- The shelves of a product: its category and all above it, each between two line ends, so that a
-- question for one of them finds what stands below too.
ALTER TABLE product ADD COLUMN shelves TEXT;
CREATE INDEX product_by_shelves ON product (shop, shelves) WHERE listed = 1;
