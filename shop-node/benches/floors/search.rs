//! Search over ten thousand products: the shop's door beside a bare ranked full-text query.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use kirana_core::text;
use kirana_migrations::rusqlite::Connection;
use kirana_shop::home::{DATABASE, Home};

use crate::{
    clock::{Stopwatch, processor},
    report::Round,
    server::{Server, get},
};

/// Products in the shop.
const PRODUCTS: usize = 10_000;
/// Items of a page.
const PAGE: usize = 20;

/// A shop with ten thousand products, and what people ask for there.
pub struct Shelves {
    /// The shop's folder.
    pub folder: PathBuf,
    /// Where the names come from, for the reader of the report.
    pub source: &'static str,
    questions: Vec<String>,
}

impl Shelves {
    /// Imports the products into a copy of the shop, by the command line.
    pub fn set_up(home: &Home, data: &Path) -> anyhow::Result<Self> {
        let (names, source) = names(data)?;
        let file = home.folder().join("products.csv");
        let mut table = csv::Writer::from_path(&file)?;
        table.write_record(["name", "price", "stock"])?;
        for (n, name) in names.iter().enumerate() {
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
        // Three: a few names of the real file are refused, such as those that are too long.
        ensure!(matches!(imported.code(), Some(0 | 3)), "the products were not imported");
        let questions = names.iter().step_by(23).filter_map(|name| question(name)).collect();
        Ok(Self { folder: home.folder().to_owned(), source, questions })
    }

    /// Asks at the door, one question after another.
    pub fn ask(&self, operations: usize) -> anyhow::Result<Round> {
        let server = Server::start(&self.folder)?;
        let mut client = server.connect()?;
        let ask = |question: &String| get(&format!("/v1/products?limit={PAGE}&q={question}"));
        let requests: Vec<_> = self.questions.iter().map(ask).collect();
        client.json(&requests[0], 200)?;
        let (before, whole) = (server.processor()?, Stopwatch::start());
        let mut each = Vec::new();
        for request in requests.iter().cycle().take(operations) {
            let watch = Stopwatch::start();
            let (status, _) = client.send(request)?;
            each.push(watch.elapsed());
            ensure!(status == 200, "a search got {status}");
        }
        let took = whole.elapsed();
        Ok(Round { operations, took, processor: server.processor()? - before, each })
    }

    /// Asks the bare index of the same database the same questions.
    pub fn floor(&self, operations: usize) -> anyhow::Result<Round> {
        let connection = Connection::open(self.folder.join(DATABASE))?;
        let sql = "SELECT rowid FROM product_fts WHERE product_fts MATCH ?1 ORDER BY rank LIMIT ?2";
        let mut statement = connection.prepare(sql)?;
        let words: Vec<String> = self
            .questions
            .iter()
            .filter_map(|question| text::match_expression(&question.replace("%20", " ")))
            .collect();
        let me = std::process::id();
        let (before, whole) = (processor(me)?, Stopwatch::start());
        let mut each: Vec<Duration> = Vec::new();
        for words in words.iter().cycle().take(operations) {
            let watch = Stopwatch::start();
            let mut rows = statement.query((words, PAGE as i64))?;
            while rows.next()?.is_some() {}
            each.push(watch.elapsed());
        }
        Ok(Round { operations, took: whole.elapsed(), processor: processor(me)? - before, each })
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

/// Real names where the data lies beside the repository, else those that come with it, varied.
fn names(data: &Path) -> anyhow::Result<(Vec<String>, &'static str)> {
    let real = data.join("../shared/data/off_products_100k.csv");
    let path =
        if real.exists() { real.clone() } else { data.join("xtask/data/products_corner.csv") };
    let mut table = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
    let column = table.headers()?.iter().position(|name| name == "name").unwrap_or_default();
    let mut names = Vec::new();
    for record in table.into_byte_records() {
        let record = record?;
        let name = String::from_utf8_lossy(record.get(column).unwrap_or_default()).into_owned();
        if !name.trim().is_empty() {
            names.push(name);
        }
        if names.len() == PRODUCTS {
            break;
        }
    }
    ensure!(!names.is_empty(), "there are no names to search for");
    let few = names.len();
    for n in few..PRODUCTS {
        names.push(format!("{} no {}", names[n % few], n / few));
    }
    let source = if real.exists() { "names of Open Food Facts" } else { "generated names" };
    Ok((names, source))
}
