-- How much of each product is free to sell, worked out when that changes and not for everybody who
-- looks: a page of the shelf asked four tables for each of its products.

CREATE TABLE shelf_stock (
  product   BLOB PRIMARY KEY CHECK (length(product) = 16),
  -- Without what is promised, kept for safety, or closed to sale; past its date or not.
  available INTEGER NOT NULL,
  -- The earliest date of a batch that lies there: from the next day on less than that is free.
  first_day INTEGER
) STRICT, WITHOUT ROWID;

-- A product that is put in here is worked out anew.
CREATE VIEW stale_shelf AS SELECT product FROM shelf_stock;
CREATE TRIGGER stale_shelf_is_worked_out INSTEAD OF INSERT ON stale_shelf BEGIN
  INSERT INTO shelf_stock (product, available, first_day) VALUES (
    NEW.product,
    (SELECT ifnull(sum(max(0, b.on_hand - b.reserved - o.safety)), 0)
     FROM offer o JOIN stock_balance b ON b.variant = o.variant
     WHERE o.product = NEW.product AND o.closed = 0),
    (SELECT min(t.best_before)
     FROM offer o JOIN batch_stock s ON s.variant = o.variant JOIN batch t ON t.n = s.batch
     WHERE o.product = NEW.product))
  ON CONFLICT (product) DO UPDATE SET available = excluded.available, first_day = excluded.first_day;
END;

CREATE TRIGGER balance_begins AFTER INSERT ON stock_balance BEGIN
  INSERT INTO stale_shelf SELECT product FROM offer WHERE variant = NEW.variant;
END;
CREATE TRIGGER balance_changes AFTER UPDATE OF on_hand, reserved ON stock_balance BEGIN
  INSERT INTO stale_shelf SELECT product FROM offer WHERE variant = NEW.variant;
END;
CREATE TRIGGER batch_comes AFTER INSERT ON batch_stock BEGIN
  INSERT INTO stale_shelf SELECT product FROM offer WHERE variant = NEW.variant;
END;
CREATE TRIGGER batch_is_gone AFTER DELETE ON batch_stock BEGIN
  INSERT INTO stale_shelf SELECT product FROM offer WHERE variant = OLD.variant;
END;
CREATE TRIGGER offer_begins AFTER INSERT ON offer BEGIN
  INSERT INTO stale_shelf VALUES (NEW.product);
END;
CREATE TRIGGER offer_changes AFTER UPDATE OF product, safety, closed ON offer
WHEN (OLD.product, OLD.safety, OLD.closed) IS NOT (NEW.product, NEW.safety, NEW.closed) BEGIN
  INSERT INTO stale_shelf VALUES (OLD.product), (NEW.product);
END;
CREATE TRIGGER offer_ends AFTER DELETE ON offer BEGIN
  INSERT INTO stale_shelf VALUES (OLD.product);
END;

INSERT INTO stale_shelf SELECT DISTINCT product FROM offer;
