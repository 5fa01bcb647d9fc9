//! Search over ten or a hundred thousand products: the shop's door beside a bare ranked full-text query.
//!
//! A shop gives an answer again until the next commit, so what a search costs is measured with
//! questions that are asked once each; what people get who ask the same is a row of its own.

use std::{
    collections::BTreeSet,
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

/// What nobody has asked before is asked first so many times, by all at once: each of the shop's
/// connections is open then and has its statements prepared, as the floor's have.
const WARMING: usize = 25 * AT_ONCE;
/// Questions that are asked again and again where it is measured what that gets.
const AGAIN: usize = 100;

/// A shop with many products, and what people ask for there.
pub struct Shelves {
    /// The shop's folder.
    pub folder: PathBuf,
    questions: Vec<String>,
    /// What else is asked for with each question.
    more: &'static str,
}

impl Shelves {
    /// The shelves of a shop with products of these names. No question is asked twice, so that no
    /// answer has been given before.
    pub fn of(folder: &Path, names: &Names, operations: usize) -> anyhow::Result<Self> {
        let apart = (names.names.len() / QUESTIONS_FROM).max(1);
        let all = names.names.iter().step_by(apart).filter_map(|name| question(name));
        let mut known = BTreeSet::new();
        let questions: Vec<String> =
            all.filter(|question| known.insert(question.to_ascii_lowercase())).collect();
        ensure!(
            questions.len() >= operations + WARMING,
            "there are only {} different questions",
            questions.len()
        );
        let sql = "SELECT count(*) FROM product WHERE listed = 1";
        let database = Connection::open(folder.join(DATABASE))?;
        let there: i64 = database.query_row(sql, [], |row| row.get(0))?;
        ensure!(there == names.names.len() as i64, "there are {there} products");
        database.execute_batch(RAW)?;
        Ok(Self { folder: folder.to_owned(), questions, more: "" })
    }

    /// The same, asking for the counts of what was found too.
    pub fn with_facets(&self) -> Self {
        let (folder, questions) = (self.folder.clone(), self.questions.clone());
        Self { folder, questions, more: "&facets=true" }
    }

    /// The same, with few questions that are asked again and again.
    pub fn again(&self) -> Self {
        let warming = self.questions.len() - WARMING;
        let some = self.questions[..AGAIN].iter().chain(&self.questions[warming..]);
        Self { folder: self.folder.clone(), questions: some.cloned().collect(), more: self.more }
    }

    /// Asks at the door, several people at once.
    pub fn ask(&self, operations: usize) -> anyhow::Result<Round> {
        let server = Server::start(crate::SHOP, &self.folder, &[])?;
        let (asked, warming) = self.questions.split_at(self.questions.len() - WARMING);
        let found = server.connect()?.json(&self.request(&asked[0]), 200)?;
        ensure!(found["items"].is_array(), "a search gave no list");
        let all_ask = |questions: &[String], operations: usize| {
            let one = |n| {
                let turns = questions.iter().cycle().skip(n).step_by(AT_ONCE);
                let turns = turns.take(operations / AT_ONCE).map(|question| self.request(question));
                Ok((server.connect()?, turns.collect()))
            };
            let asking = (0..AT_ONCE).map(one).collect::<anyhow::Result<_>>()?;
            clients::run(&server, asking, 200)
        };
        all_ask(warming, WARMING)?;
        all_ask(asked, operations)
    }

    fn request(&self, question: &str) -> Vec<u8> {
        get(&format!("/v1/products?limit={PAGE}&q={question}{}", self.more), None)
    }

    /// Asks the bare index of the same database the same questions, just as many at once.
    pub fn floor(&self, operations: usize) -> anyhow::Result<Round> {
        let asked = self.questions.len() - WARMING;
        let words: Vec<String> = self.questions[..asked]
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
  INSERT INTO raw_fts (rowid, name)
    SELECT row, replace(folded, char(10), ' ') || ' ' || ifnull(category, '') FROM product;";

/// From so many names questions are made: of some nothing can be asked, and some give the same.
const QUESTIONS_FROM: usize = 10_000;

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
