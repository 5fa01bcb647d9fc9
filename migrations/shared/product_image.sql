-- The digest of a product's picture, to know who may have asked for it and whom to ask.
ALTER TABLE product ADD COLUMN image BLOB CHECK (length(image) = 32);
CREATE INDEX product_by_image ON product (image) WHERE image IS NOT NULL;
