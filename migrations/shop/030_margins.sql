-- Goods that come back count against the sale that they are of.
ALTER TABLE goods_out RENAME COLUMN wasted TO way;        -- 0 sold, 1 wasted, 2 came back
ALTER TABLE goods_out ADD COLUMN sale INTEGER;            -- the sale whose goods came back
ALTER TABLE goods_out ADD COLUMN link BLOB;               -- the line of an order that it is for
CREATE INDEX goods_out_by_link ON goods_out (link, n) WHERE link IS NOT NULL;
CREATE INDEX goods_out_by_sale ON goods_out (sale) WHERE sale IS NOT NULL;
