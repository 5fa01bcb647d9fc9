//! The shape of stored data, written down so that a change of it is seen.

use expect_test::expect_file;
use kirana_migrations::{Database, Location, Schema, StoreError};

fn shape(schema: Schema) -> String {
    let database = Database::open(schema, Location::Memory).expect("it opens");
    let rows = database.reader.read(|c| -> Result<Vec<String>, StoreError> {
        let mut all =
            c.prepare("SELECT sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY rowid")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    });
    rows.expect("it is read").join(";\n\n") + "\n"
}

#[test]
fn the_shops_tables_are_as_written_down() {
    expect_file!["../../shop/schema.snapshot"].assert_eq(&shape(Schema::Shop));
}

#[test]
fn the_households_tables_are_as_written_down() {
    expect_file!["../../customer/schema.snapshot"].assert_eq(&shape(Schema::Customer));
}

#[test]
fn the_hubs_tables_are_as_written_down() {
    expect_file!["../../hub/schema.snapshot"].assert_eq(&shape(Schema::Hub));
}

#[test]
fn the_tables_of_gathered_catalogues_are_as_written_down() {
    expect_file!["../../shelves/schema.snapshot"].assert_eq(&shape(Schema::Shelves));
}

#[test]
fn every_table_is_strict() {
    for schema in Schema::ALL {
        let database = Database::open(schema, Location::Memory).unwrap();
        let loose = database.reader.read(|c| -> Result<i64, StoreError> {
            Ok(c.query_row(
                "SELECT count(*) FROM pragma_table_list
                 WHERE type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'
                   AND name NOT LIKE '%\\_fts\\_%' ESCAPE '\\'",
                [],
                |row| row.get(0),
            )?)
        });
        assert_eq!(loose.unwrap(), 0, "{schema:?}");
    }
}
