-- A page of the shelf asks for each product how much of it is free, and a movement whether any is.
CREATE INDEX offer_by_product ON offer (product);
