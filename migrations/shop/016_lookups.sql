-- Barcodes of which the open product database knew nothing, until it is asked again.
CREATE TABLE lookup_miss (
  gtin     INTEGER PRIMARY KEY,
  until_ms INTEGER NOT NULL
) STRICT;
