-- 1: closed before the shop came back from a backup, and not yet compared with what it has now.
ALTER TABLE customer_order ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX customer_order_unconfirmed ON customer_order (shop_id) WHERE unconfirmed = 1;
