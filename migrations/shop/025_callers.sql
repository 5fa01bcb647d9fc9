-- People without a device for whom the shop's staff take orders: a guest key that the shop keeps for
-- each, and name, phone and address, sealed under the box's key.
CREATE TABLE caller (
  device   BLOB PRIMARY KEY CHECK (length(device) = 16),  -- the short name of the key
  party    BLOB NOT NULL UNIQUE,                          -- CBOR of the guest
  sealed   BLOB,                                          -- NULL once the person was erased
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
