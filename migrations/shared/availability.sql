-- What shops said is in stock: the newest signed snapshot of each document of a saved catalogue.
CREATE TABLE availability (
  shop       BLOB NOT NULL CHECK (length(shop) = 16),
  bucket     INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  n          INTEGER NOT NULL,  -- only goes up within a generation
  signed     BLOB NOT NULL,
  PRIMARY KEY (shop, bucket)
) STRICT;

CREATE INDEX product_by_bucket ON product (shop, bucket);
