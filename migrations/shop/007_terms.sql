-- Prices to come and deals of what is for sale, as CBOR; none where there is only the usual price.
ALTER TABLE offer ADD COLUMN terms BLOB;
