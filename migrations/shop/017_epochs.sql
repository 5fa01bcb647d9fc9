-- Each document of the catalogue begins anew once a year. What it was before stays, since somebody
-- may still send what they made upon it, and for the history of its products.
CREATE TABLE catalogue_epoch (
  bucket    INTEGER NOT NULL,
  epoch     INTEGER NOT NULL CHECK (epoch >= 1),
  opened_ms INTEGER NOT NULL,
  -- The state with all products and no field, and the one with all that it began with: digests,
  -- end to end; both empty for a first epoch.
  skeleton  BLOB NOT NULL CHECK (length(skeleton) % 32 = 0),
  begun     BLOB NOT NULL CHECK (length(begun) % 32 = 0),
  -- Of a closed one: when, in which state, the document with what came later, and its digest.
  closed_ms INTEGER,
  closed    BLOB CHECK (length(closed) % 32 = 0),
  document  BLOB,
  digest    BLOB CHECK (length(digest) = 32),
  PRIMARY KEY (bucket, epoch),
  CHECK ((closed_ms IS NULL) = (document IS NULL)),
  CHECK ((closed_ms IS NULL) = (closed IS NULL)),
  CHECK ((closed_ms IS NULL) = (digest IS NULL))
) STRICT;
CREATE UNIQUE INDEX catalogue_epoch_open ON catalogue_epoch (bucket) WHERE closed_ms IS NULL;
