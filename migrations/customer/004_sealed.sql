-- What is personal lies encrypted under a key that follows from the device's own: see app/person.rs.
-- The columns personal and personal_salt hold what an earlier version stored, until it is encrypted.
ALTER TABLE customer_order ADD COLUMN sealed_personal BLOB;

-- Single facts that are personal: the household document.
CREATE TABLE sealed_setting (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
