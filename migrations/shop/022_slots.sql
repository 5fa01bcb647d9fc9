-- The span of time that an accepted order has, worked out from its entries, so that others with the
-- same one can be counted.
ALTER TABLE customer_order ADD COLUMN slot_way INTEGER;  -- 0 collected, 1 brought
ALTER TABLE customer_order ADD COLUMN slot_from_ms INTEGER;
ALTER TABLE customer_order ADD COLUMN slot_until_ms INTEGER;
CREATE INDEX orders_by_slot ON customer_order (slot_from_ms, slot_until_ms, slot_way)
  WHERE slot_from_ms IS NOT NULL AND is_open;

-- From which age on something is sold, in years.
ALTER TABLE offer ADD COLUMN age_min INTEGER;
