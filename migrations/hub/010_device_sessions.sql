-- Which device a session belongs to, by the short name of its key, and whether that key opened it:
-- then no password was shown. It ends when the device is shut out.
ALTER TABLE session ADD COLUMN device BLOB;
ALTER TABLE session ADD COLUMN by_key INTEGER NOT NULL DEFAULT 0 CHECK (by_key IN (0, 1));
CREATE INDEX session_device ON session (device) WHERE device IS NOT NULL;

-- Devices that another one of the account speaks for: whoever shuts that one out means these too.
CREATE TABLE countersigned (
    device  BLOB NOT NULL CHECK (length(device) = 16),
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    by      BLOB NOT NULL CHECK (length(by) = 16),
    PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;

-- Questions that were answered at the door: an answer opens one session.
CREATE TABLE answered (
    nonce BLOB PRIMARY KEY NOT NULL CHECK (length(nonce) = 40),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
