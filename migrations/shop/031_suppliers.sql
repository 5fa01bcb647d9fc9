-- A supplier from whom the shop no longer buys keeps its name beside what was bought there.
ALTER TABLE supplier ADD COLUMN retired_ms INTEGER;
