-- Pictures as they were encoded here, named by their digest; all of them are public.
CREATE TABLE picture (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    jpeg BLOB NOT NULL
) STRICT, WITHOUT ROWID;
-- What a shop looks like.
ALTER TABLE shop ADD COLUMN photo BLOB REFERENCES picture (hash);
CREATE INDEX shop_photo ON shop (photo) WHERE photo IS NOT NULL;
