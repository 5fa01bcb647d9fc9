//! Search over ten or a hundred thousand products: the shop's door beside a bare ranked full-text query.

use std::{
    path::{Path, PathBuf},
    sync::Barrier,
    time::Duration,
};

use anyhow::ensure;
use kirana_core::text;
use kirana_migrations::rusqlite::{Connection, OpenFlags};
use kirana_shop::home::DATABASE;

use crate::{
    clients,
    clock::{Stopwatch, processor},
    goods::Names,
    report::Round,
    server::{Server, get},
};

/// Items of a page.
const PAGE: usize = 20;
/// People who search at once.
pub const AT_ONCE: usize = 8;

/// A shop with many products, and what people ask for there.
pub struct Shelves {
    /// The shop's folder.
    pub folder: PathBuf,
    questions: Vec<String>,
}

impl Shelves {
    /// The shelves of a shop with products of these names.
    pub fn of(folder: &Path, names: &Names) -> anyhow::Result<Self> {
        let questions =
            names.names.iter().step_by(names.names.len() / 434).filter_map(|name| question(name));
        let shelves = Self { folder: folder.to_owned(), questions: questions.collect() };
        let sql = "SELECT count(*) FROM product WHERE listed = 1";
        let database = Connection::open(shelves.folder.join(DATABASE))?;
        let there: i64 = database.query_row(sql, [], |row| row.get(0))?;
        ensure!(
            there == names.names.len() as i64,
            "there are {there} products, not {}",
            names.names.len()
        );
        database.execute_batch(RAW)?;
        Ok(shelves)
    }

    /// Asks at the door, several people at once.
    pub fn ask(&self, operations: usize) -> anyhow::Result<Round> {
        let server = Server::start(crate::SHOP, &self.folder, &[])?;
        let ask = |question: &String| get(&format!("/v1/products?limit={PAGE}&q={question}"), None);
        let requests: Vec<_> = self.questions.iter().map(ask).collect();
        let mut asking = Vec::new();
        for n in 0..AT_ONCE {
            let mut client = server.connect()?;
            // Warm, as the floor is: each of its connections has its statement prepared.
            let found = client.json(&requests[0], 200)?;
            ensure!(found["items"].is_array(), "a search gave no list");
            let turns = requests.iter().cycle().skip(n).step_by(AT_ONCE);
            asking.push((client, turns.take(operations / AT_ONCE).cloned().collect()));
        }
        clients::run(&server, asking, 200)
    }

    /// Asks the bare index of the same database the same questions, just as many at once.
    pub fn floor(&self, operations: usize) -> anyhow::Result<Round> {
        let words: Vec<String> = self
            .questions
            .iter()
            .map(|question| {
                let words = text::tokens(&question.replace("%20", " "));
                words.iter().map(|word| format!("\"{word}\"* ")).collect()
            })
            .collect();
        let start = &Barrier::new(AT_ONCE + 1);
        let me = std::process::id();
        let (each, took, processor) = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for n in 0..AT_ONCE {
                let turns = words.iter().cycle().skip(n).step_by(AT_ONCE);
                let turns: Vec<&str> =
                    turns.take(operations / AT_ONCE).map(String::as_str).collect();
                threads.push(scope.spawn(move || self.match_bare(turns, start)));
            }
            start.wait();
            let (before, watch) = (self::processor(me)?, Stopwatch::start());
            let mut each = Vec::new();
            for thread in threads {
                let done = thread.join().map_err(|_| anyhow::anyhow!("a reader panicked"))?;
                each.extend(done?);
            }
            let took = watch.elapsed();
            anyhow::Ok((each, took, self::processor(me)? - before))
        })?;
        Ok(Round { operations: each.len(), took, processor, each })
    }

    fn match_bare(&self, turns: Vec<&str>, start: &Barrier) -> anyhow::Result<Vec<Duration>> {
        // Without the lock that a connection shared by threads needs, as the shop's own readers.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(self.folder.join(DATABASE), flags);
        let sql = "SELECT rowid FROM raw_fts WHERE raw_fts MATCH ?1 ORDER BY rank LIMIT ?2";
        let prepared = opened.as_ref().map(|connection| connection.prepare(sql));
        start.wait();
        let mut statement = prepared.map_err(|_| anyhow::anyhow!("no database"))??;
        let mut each: Vec<Duration> = Vec::with_capacity(turns.len());
        for words in turns {
            let watch = Stopwatch::start();
            let mut rows = statement.query((words, PAGE as i64))?;
            while rows.next()?.is_some() {}
            each.push(watch.elapsed());
        }
        Ok(each)
    }
}

/// The floor's own index over the same words, ranked by bm25, as shops had it before they kept one
/// order for every search.
const RAW: &str = "
  CREATE VIRTUAL TABLE raw_fts USING fts5 (
    name, content = '', detail = column, prefix = '2 3', tokenize = 'ascii');
  INSERT INTO raw_fts (rowid, name) SELECT row, replace(folded, char(10), ' ') FROM product;";

/// One word of a name, two of them, or the beginning of one, as people type.
fn question(name: &str) -> Option<String> {
    let plain = |word: &&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_alphabetic());
    let mut words = name.split_whitespace().filter(plain);
    let first = words.next()?;
    match (name.len() % 3, words.next()) {
        (0, Some(second)) => Some(format!("{first}%20{second}")),
        (1, _) => Some(first[..4].to_owned()),
        _ => Some(first.to_owned()),
    }
}
