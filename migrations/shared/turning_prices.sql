-- When a planned price begins or ends next: until then the product is sorted by the one that holds.
ALTER TABLE product ADD COLUMN turns_ms INTEGER;
UPDATE product SET turns_ms = 0 WHERE row IN (SELECT row FROM product_value WHERE shown = '');
CREATE INDEX product_by_turn ON product (turns_ms) WHERE turns_ms IS NOT NULL;
