//! Groups of jobs, their replies, and what a crash or a full disk does to them.

use std::sync::Arc;

use kirana_migrations::{
    Abort, Database, Fault, Head, Location, Schema, StoreError, Tx, WriteError,
};

fn put(tx: &Tx<'_>, name: &str) -> Result<usize, Abort<String>> {
    Ok(tx.execute("INSERT INTO setting VALUES (?1, x'00')", [name])?)
}

fn names(database: &Database) -> Vec<String> {
    let read = database.reader.read(|c| -> Result<Vec<String>, StoreError> {
        let mut all = c.prepare("SELECT name FROM setting ORDER BY name")?;
        Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    });
    read.expect("it is read")
}

fn in_memory() -> Database {
    Database::open(Schema::Shop, Location::Memory).expect("it opens")
}

#[test]
fn what_was_answered_is_there_for_every_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = Arc::new(Database::open(Schema::Shop, Location::File(path)).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let database = database.clone();
            std::thread::spawn(move || {
                for n in 0..20 {
                    let name = format!("{thread} {n}");
                    let mine = name.clone();
                    database.writer.write(move |tx| put(tx, &name)).unwrap();
                    assert!(names(&database).contains(&mine));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(names(&database).len(), 160);
}

#[test]
fn a_refused_job_leaves_nothing_behind_not_even_a_head() {
    let database = in_memory();
    let refused = database.writer.write(|tx| -> Result<(), _> {
        put(tx, "half")?;
        tx.note_head(Head { chain: "ledger".to_owned(), n: 1, hash: [1; 32] });
        Err(Abort::Refused("no".to_owned()))
    });
    assert!(matches!(refused, Err(WriteError::Refused(why)) if why == "no"));
    assert!(names(&database).is_empty());
    assert!(database.recorded_heads().is_empty());
}

#[test]
fn a_job_that_breaks_a_rule_of_the_database_fails_alone() {
    let database = in_memory();
    database.writer.write(|tx| put(tx, "a")).unwrap();
    let twice = database.writer.write(|tx| put(tx, "a"));
    assert!(matches!(twice, Err(WriteError::Store(_))));
    database.writer.write(|tx| put(tx, "b")).unwrap();
    assert_eq!(names(&database), ["a", "b"]);
}

#[test]
fn p7_a_crash_before_the_commit_leaves_nothing_and_says_unknown() {
    let database = in_memory();
    database.writer.inject(Some(Fault::CrashBeforeCommit(1)));
    database.writer.write(|tx| put(tx, "first")).unwrap();
    let lost = database.writer.write(|tx| put(tx, "second"));
    assert!(matches!(lost, Err(WriteError::Unknown)));
    assert!(matches!(database.writer.write(|tx| put(tx, "third")), Err(WriteError::Stopped)));
    let database = database.restart();
    assert_eq!(names(&database), ["first"]);
    database.writer.write(|tx| put(tx, "third")).unwrap();
}

#[test]
fn p7_a_crash_after_the_commit_keeps_it_and_says_unknown() {
    let database = in_memory();
    database.writer.inject(Some(Fault::CrashAfterCommit(0)));
    let unheard = database.writer.write(|tx| put(tx, "kept"));
    assert!(matches!(unheard, Err(WriteError::Unknown)));
    assert_eq!(names(&database.restart()), ["kept"]);
}

#[test]
fn p7_a_full_disk_refuses_without_effect_and_heals() {
    let database = in_memory();
    database.writer.write(|tx| put(tx, "before")).unwrap();
    database.writer.fill_disk(true).unwrap();
    let big = |tx: &Tx<'_>| -> Result<usize, Abort<String>> {
        Ok(tx.execute("INSERT INTO setting VALUES ('big', zeroblob(100000))", [])?)
    };
    assert!(matches!(database.writer.write(big), Err(WriteError::Full)));
    assert!(database.writer.is_full());
    assert_eq!(names(&database), ["before"]);
    database.writer.fill_disk(false).unwrap();
    database.writer.write(big).unwrap();
    assert!(!database.writer.is_full());
    assert_eq!(names(&database), ["before", "big"]);
}

#[test]
fn p7_one_job_too_big_for_the_disk_does_not_fail_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = Arc::new(Database::open(Schema::Shop, Location::File(path)).unwrap());
    let limit = |tx: &Tx<'_>| -> Result<(), Abort<String>> {
        let pages: i64 = tx.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let limit = format!("PRAGMA max_page_count = {}", pages + 4);
        Ok(tx.query_row(&limit, [], |_| Ok(()))?)
    };
    database.writer.write(limit).unwrap();
    let threads: Vec<_> = (0..16)
        .map(|n| {
            let database = database.clone();
            std::thread::spawn(move || {
                if n == 7 {
                    let big = database.writer.write(|tx| -> Result<usize, Abort<String>> {
                        Ok(tx.execute("INSERT INTO setting VALUES ('big', zeroblob(900000))", [])?)
                    });
                    assert!(matches!(big, Err(WriteError::Full)));
                } else {
                    database.writer.write(move |tx| put(tx, &n.to_string())).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(names(&database).len(), 15);
}

#[test]
fn p8_a_database_put_back_is_behind_its_heads() {
    let database = in_memory();
    let step = |n: u64| {
        move |tx: &Tx<'_>| -> Result<(), Abort<String>> {
            put(tx, &n.to_string())?;
            tx.note_head(Head { chain: "ledger".to_owned(), n, hash: [n as u8; 32] });
            Ok(())
        }
    };
    let holds = |c: &kirana_migrations::rusqlite::Connection, head: &Head| {
        let count = "SELECT count(*) FROM setting WHERE name = ?1";
        let rows: i64 = c.query_row(count, [head.n.to_string()], |row| row.get(0))?;
        Ok(rows == 1)
    };
    database.writer.write(step(1)).unwrap();
    let yesterday = database.image().unwrap();
    database.writer.write(step(2)).unwrap();
    assert!(database.behind(holds).unwrap().is_empty());
    database.put_back(Schema::Shop, &yesterday).unwrap();
    assert_eq!(database.behind(holds).unwrap()[0].n, 2);
}

#[test]
fn a_copy_made_while_others_write_opens_with_all_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = Database::open(Schema::Shop, Location::File(path.clone())).unwrap();
    database.writer.write(|tx| put(tx, "kept")).unwrap();
    let copy = folder.path().join("copy.db");
    kirana_migrations::backup::copy(&path, &copy).unwrap();
    assert!(kirana_migrations::backup::copy(&path, &copy).is_err(), "it would overwrite a copy");
    let again = Database::open(Schema::Shop, Location::File(copy)).unwrap();
    assert_eq!(names(&again), ["kept"]);
}

#[tokio::test]
async fn an_async_caller_waits_for_the_commit_too() {
    let database = in_memory();
    database.writer.write_async(|tx| put(tx, "a")).await.unwrap();
    assert_eq!(names(&database), ["a"]);
}

#[test]
fn the_version_of_a_file_changes_with_every_commit_and_with_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = Database::open(Schema::Shop, Location::File(path.clone())).unwrap();
    let version = || database.reader.version().unwrap();
    let first = version();
    assert!(first.is_some());
    names(&database);
    assert_eq!(version(), first, "reading changes nothing");
    database.writer.write(|tx| put(tx, "ours")).unwrap();
    let second = version();
    assert_ne!(second, first);
    let other = Database::open(Schema::Shop, Location::File(path)).unwrap();
    other.writer.write(|tx| put(tx, "another process's")).unwrap();
    assert_ne!(version(), second);
    assert_eq!(in_memory().reader.version().unwrap(), None);
}
