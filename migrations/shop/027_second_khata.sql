-- A book that comes back after a restore, where its holder was given another since: it stands aside, and
-- nothing is written into it until the owner has joined the two.
ALTER TABLE khata ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;
DROP INDEX khata_of_holder;
CREATE UNIQUE INDEX khata_of_holder ON khata (holder) WHERE is_open AND NOT aside AND holder IS NOT NULL;
