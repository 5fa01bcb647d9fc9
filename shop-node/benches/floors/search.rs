//! Search over ten thousand products: the shop's door beside a bare ranked full-text query.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Barrier,
    time::Duration,
};

use anyhow::{Context, ensure};
use kirana_core::text;
use kirana_migrations::rusqlite::{Connection, OpenFlags};
use kirana_shop::home::{DATABASE, Home};

use crate::{
    clients,
    clock::{Stopwatch, processor},
    report::Round,
    server::{Server, get},
};

/// Products in the shop.
const PRODUCTS: usize = 10_000;
/// Items of a page.
const PAGE: usize = 20;
/// People who search at once.
pub const AT_ONCE: usize = 8;

/// A shop with ten thousand products, and what people ask for there.
pub struct Shelves {
    /// The shop's folder.
    pub folder: PathBuf,
    /// Where the names come from, for the reader of the report.
    pub source: String,
    questions: Vec<String>,
}

impl Shelves {
    /// Imports the products into a copy of the shop, by the command line.
    pub fn set_up(home: &Home, repository: &Path) -> anyhow::Result<Self> {
        let (goods, source) = goods(repository)?;
        let file = home.folder().join("products.csv");
        let mut table = csv::Writer::from_path(&file)?;
        table.write_record(["name", "price", "stock"])?;
        for (n, name) in goods.iter().enumerate() {
            table.write_record([name.as_str(), &format!("{}.50", 10 + n % 400), "25"])?;
        }
        table.flush()?;
        let imported = Command::new(env!("CARGO_BIN_EXE_kirana-shop"))
            .arg("import")
            .arg(&file)
            .args(["--format", "csv", "--json", "--data"])
            .arg(home.folder())
            .env("RUST_LOG", "error")
            .stdout(Stdio::null())
            .status()?;
        ensure!(imported.success(), "the products were not imported");
        let questions = goods.iter().step_by(23).filter_map(|name| question(name)).collect();
        let shelves = Self { folder: home.folder().to_owned(), source, questions };
        let there = shelves.listed()?;
        ensure!(there == PRODUCTS as i64, "there are {there} products, not {PRODUCTS}");
        Ok(shelves)
    }

    fn listed(&self) -> anyhow::Result<i64> {
        let sql = "SELECT count(*) FROM product WHERE listed = 1";
        Ok(Connection::open(self.folder.join(DATABASE))?.query_row(sql, [], |row| row.get(0))?)
    }

    /// Asks at the door, several people at once.
    pub fn ask(&self, operations: usize) -> anyhow::Result<Round> {
        let server = Server::start(&self.folder)?;
        let ask = |question: &String| get(&format!("/v1/products?limit={PAGE}&q={question}"));
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
            .filter_map(|question| text::match_expression(&question.replace("%20", " ")))
            .collect();
        ensure!(words.len() == self.questions.len(), "a question has no words");
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
        let sql = "SELECT rowid FROM product_fts WHERE product_fts MATCH ?1 ORDER BY rank LIMIT ?2";
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

/// Names of real products, and where they come from: a hundred thousand of Open Food Facts where
/// that file lies near the repository, else the two thousand that come with it, numbered on.
fn goods(repository: &Path) -> anyhow::Result<(Vec<String>, String)> {
    let near = repository.ancestors().map(|folder| folder.join(REAL));
    if let Some(real) = near.into_iter().find(|path| path.exists()) {
        let mut names = names(&real)?;
        names.truncate(PRODUCTS);
        ensure!(names.len() == PRODUCTS, "{} has too few names", real.display());
        let source = "names of Open Food Facts; prices and stock are made up";
        return Ok((names, source.to_owned()));
    }
    let mut few = names(&repository.join("xtask/data/products_corner.csv"))?;
    few.extend(names(&repository.join("xtask/data/products_lane.csv"))?);
    let again = (0..).flat_map(|n| few.iter().map(move |name| (n, name)));
    let numbered = |(n, name): (usize, &String)| match n {
        0 => name.clone(),
        n => format!("{name} no {n}"),
    };
    let names = again.map(numbered).take(PRODUCTS).collect();
    let source = format!(
        "{} names of Open Food Facts, numbered on; numbers, prices and stock are made up",
        few.len()
    );
    Ok((names, source))
}

const REAL: &str = "shared/data/off_products_100k.csv";

/// The names of a file that the shop's import takes.
fn names(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut table = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
    let column = table.headers()?.iter().position(|name| name == "name");
    let column = column.with_context(|| format!("{} has no names", path.display()))?;
    let mut names = Vec::new();
    for record in table.into_byte_records() {
        let record = record?;
        let name = std::str::from_utf8(record.get(column).unwrap_or_default());
        match name.map(str::trim) {
            Ok(name) if !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX => {
                names.push(name.to_owned());
            }
            _ => {}
        }
    }
    Ok(names)
}

/// Longer names are refused by the import.
const NAME_CHARS_MAX: usize = 300;
