-- Until when a customer may answer what a packer asked, so that those whose time is over are found.
ALTER TABLE customer_order ADD COLUMN question_until_ms INTEGER;

CREATE INDEX customer_order_question ON customer_order (question_until_ms)
  WHERE question_until_ms IS NOT NULL;
