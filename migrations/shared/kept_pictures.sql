-- Pictures of products that were fetched, named by their digest: all of them can be had again.
CREATE TABLE kept_picture (
  hash    BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  bytes   INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,  -- when somebody last looked at it
  jpeg    BLOB NOT NULL
) STRICT;
CREATE INDEX kept_picture_by_use ON kept_picture (used_ms);
