-- Who wants letters about orders, and when they were last told that something waits for their device.
CREATE TABLE notice (
    account      BLOB PRIMARY KEY NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    waiting_told INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What was last written of each order of a hosted account.
CREATE TABLE order_told (
    account BLOB NOT NULL REFERENCES notice (account) ON DELETE CASCADE,
    id      BLOB NOT NULL CHECK (length(id) = 16),
    news    TEXT NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
