-- Payments by card through a provider: what was asked for, what is held and taken; the signed entries of
-- the orders are the truth.
CREATE TABLE card_payment (
  n              INTEGER PRIMARY KEY,
  order_n        INTEGER NOT NULL REFERENCES customer_order (n),
  attempt        INTEGER NOT NULL CHECK (attempt BETWEEN 1 AND 10),
  key            TEXT NOT NULL UNIQUE,         -- from it every call's idempotency key is made
  minor          INTEGER NOT NULL CHECK (minor > 0),
  intent         TEXT UNIQUE,                  -- the provider's name, once it gave one
  state          TEXT NOT NULL CHECK (state IN ('wanted', 'asked', 'authorised', 'captured', 'released',
                                                'failed')),
  until_ms       INTEGER,                      -- until when a sum is held
  captured_minor INTEGER NOT NULL DEFAULT 0,
  begun_ms       INTEGER NOT NULL,
  look_ms        INTEGER NOT NULL,             -- when the provider is asked how it stands
  seen_seq       INTEGER NOT NULL DEFAULT -1,  -- the order's entry that was looked at last
  trouble        TEXT,                         -- what a person has to look at
  UNIQUE (order_n, attempt)
) STRICT;
CREATE INDEX card_payment_live ON card_payment (look_ms)
  WHERE state IN ('wanted', 'asked', 'authorised');

-- What the provider is to be told: kept until it answered, and told under the same key each time.
CREATE TABLE card_call (
  n         INTEGER PRIMARY KEY,
  payment_n INTEGER NOT NULL REFERENCES card_payment (n),
  what      TEXT NOT NULL CHECK (what IN ('create', 'capture', 'cancel', 'refund')),
  key       TEXT NOT NULL UNIQUE,
  minor     INTEGER NOT NULL,
  who       BLOB,                              -- who wanted it
  attempts  INTEGER NOT NULL DEFAULT 0,
  next_ms   INTEGER NOT NULL,
  done_ms   INTEGER,
  entry     BLOB,                              -- the order's entry that came of it
  problem   TEXT
) STRICT;
CREATE INDEX card_call_open ON card_call (next_ms) WHERE done_ms IS NULL;
CREATE INDEX card_call_by_payment ON card_call (payment_n);

-- Events that the provider sent: each counts once.
CREATE TABLE card_event (
  id    TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the provider itself says was taken from cards, as of the last time that it was asked.
CREATE TABLE card_charge (
  id             TEXT PRIMARY KEY,
  intent         TEXT,
  at_ms          INTEGER NOT NULL,
  currency       TEXT NOT NULL,
  minor          INTEGER NOT NULL,             -- what was taken, or is held
  captured       INTEGER NOT NULL,
  refunded_minor INTEGER NOT NULL,
  seen_ms        INTEGER NOT NULL,
  aside          TEXT                          -- why it is no money of an order
) STRICT, WITHOUT ROWID;
CREATE INDEX card_charge_by_intent ON card_charge (intent);
