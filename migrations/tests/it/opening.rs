//! What happens when the file is foreign, newer, cut off or no database at all.

use kirana_migrations::{Database, Location, OpenError, Schema, StoreError, rusqlite::Connection};

fn open(schema: Schema, path: &std::path::Path) -> Result<Database, OpenError> {
    Database::open(schema, Location::File(path.to_owned()))
}

#[test]
fn a_database_opens_again_and_uses_the_safe_settings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    drop(open(Schema::Shop, &path).unwrap());
    let database = open(Schema::Shop, &path).unwrap();
    let (mode, sync) = database
        .writer
        .write(|tx| -> Result<_, kirana_migrations::Abort<()>> {
            let mode: String = tx.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
            let sync: i64 = tx.pragma_query_value(None, "synchronous", |r| r.get(0))?;
            Ok((mode, sync))
        })
        .unwrap();
    assert_eq!((mode.as_str(), sync), ("wal", 2));
}

#[test]
fn readers_share_no_lock_at_every_page() {
    let memory = Database::open(Schema::Shop, Location::Memory).expect("it opens");
    let options = memory.reader.read(|c| -> Result<Vec<String>, kirana_migrations::StoreError> {
        let mut select = c.prepare("PRAGMA compile_options")?;
        let options = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(options)
    });
    let options = options.expect("SQLite tells how it was built");
    // Both come from `.cargo/config.toml`, which a build elsewhere may not have read.
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(options.iter().all(|option| option != "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}

#[test]
fn the_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    assert!(matches!(open(Schema::Shop, &path), Err(OpenError::Foreign { .. })));
    let hub = folder.path().join("hub.db");
    drop(open(Schema::Hub, &hub).unwrap());
    assert!(matches!(open(Schema::Shop, &hub), Err(OpenError::Foreign { .. })));
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    drop(open(Schema::Shop, &path).unwrap());
    let newer = Schema::Shop.version() as i64 + 1;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", newer).unwrap();
    match open(Schema::Shop, &path) {
        Err(OpenError::Newer { found, .. }) => assert_eq!(found, newer),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    for content in ["a shopping list", &"x".repeat(9000)] {
        std::fs::write(&path, content).unwrap();
        assert!(matches!(open(Schema::Shop, &path), Err(OpenError::NotADatabase { .. })));
    }
}

#[test]
fn p8_a_database_that_was_cut_off_is_refused_at_any_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    drop(open(Schema::Shop, &path).unwrap());
    // The thread that wrote may still be closing the file and emptying its log.
    let whole = loop {
        let log = std::fs::metadata(folder.path().join("shop.db-wal"));
        if log.is_err() {
            break std::fs::read(&path).unwrap();
        }
        std::thread::yield_now();
    };
    for len in [1, 50, 100, 4096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let refused = open(Schema::Shop, &path);
        assert!(
            matches!(refused, Err(OpenError::Truncated { .. } | OpenError::NotADatabase { .. })),
            "{len} bytes were accepted"
        );
    }
}

#[test]
fn p7_after_a_failed_sync_the_database_is_copied_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = open(Schema::Shop, &path).unwrap();
    let stored = database.writer.write(|tx| -> Result<_, kirana_migrations::Abort<()>> {
        Ok(tx.execute("INSERT INTO setting VALUES ('name', x'01')", [])?)
    });
    stored.unwrap();
    drop(database);
    std::fs::write(path.with_extension("suspect"), "a commit failed").unwrap();
    let again = open(Schema::Shop, &path).unwrap();
    let rows = again.reader.read(|c| -> Result<i64, StoreError> {
        Ok(c.query_row("SELECT count(*) FROM setting", [], |row| row.get(0))?)
    });
    assert_eq!(rows.unwrap(), 1);
    assert!(!path.with_extension("suspect").exists());
}
