-- What else an owner says about a shop: delivery, languages, addresses, as JSON. All of it is public.
ALTER TABLE shop ADD COLUMN details TEXT NOT NULL DEFAULT '{}';
-- What whoever decides wants to know before; the next application answers it.
ALTER TABLE shop ADD COLUMN question TEXT;
-- The day, where the shop stands, on which it stays closed whatever its hours say.
ALTER TABLE shop ADD COLUMN closed_on TEXT;
-- When the shop was closed down.
ALTER TABLE shop ADD COLUMN closed_at INTEGER;

-- Who else keeps a shop's profile, beside the account that applied.
CREATE TABLE shop_owner (
    shop    BLOB NOT NULL REFERENCES shop (id) ON DELETE CASCADE,
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    since   INTEGER NOT NULL,
    PRIMARY KEY (shop, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX shop_owner_account ON shop_owner (account);
