-- Imports that were run, with their reports, and which column of a file means what.
CREATE TABLE import (
  id     BLOB PRIMARY KEY CHECK (length(id) = 16),
  at_ms  INTEGER NOT NULL,
  report TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE import_map (
  format TEXT PRIMARY KEY,
  map    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
