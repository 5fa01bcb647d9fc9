-- Pictures of products as they were encoded here, named by their digest; all of them are public.
CREATE TABLE image (
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  jpeg BLOB NOT NULL
) STRICT;

-- Which picture each product names: a picture that none names is thrown away.
CREATE TABLE product_image (
  product BLOB PRIMARY KEY CHECK (length(product) = 16),
  hash    BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX product_image_hash ON product_image (hash);
