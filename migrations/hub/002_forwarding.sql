-- Mail that other hubs are to get. `hops` counts the hubs that had it before this one. What was
-- passed on stays as a spare copy until its time is over or room is needed.
ALTER TABLE mail ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mail ADD COLUMN passed INTEGER NOT NULL DEFAULT 0 CHECK (passed IN (0, 1));
CREATE INDEX mail_waiting ON mail (recipient) WHERE passed = 0 AND hops = 0;

-- Where the mail of a device last came from, when another hub passed it on: replies go there.
CREATE TABLE route (
    recipient BLOB PRIMARY KEY NOT NULL,
    hub       BLOB NOT NULL CHECK (length(hub) = 32),
    until     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX route_until ON route (until);

-- Hubs that got mail from here: this hub keeps in touch with them, since replies come from there.
CREATE TABLE partner (
    hub     BLOB PRIMARY KEY NOT NULL CHECK (length(hub) = 32),
    contact BLOB NOT NULL,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
