//! The products of the shops that are measured, as a shopkeeper brings them in: by the program's own
//! import of a file. Names are real; prices, tax, stock and categories are made up.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use anyhow::{Context, ensure};
use kirana_core::text;
use kirana_shop::home::Home;

use crate::{
    clock::{Stopwatch, processor},
    memory::peak_mib,
};

/// Products in the shop.
pub const PRODUCTS: usize = 10_000;
/// Products in the large one.
pub const MANY: usize = 100_000;
/// Of each so many pieces: nothing sells out while it is measured.
pub const PIECES: u64 = 1_000_000;

/// Names of real products, and where they come from.
pub struct Names {
    /// One for each product.
    pub names: Vec<String>,
    /// For the reader of the report.
    pub source: String,
}

/// A hundred thousand names of Open Food Facts where that file lies near the repository, else the
/// two thousand that come with it, numbered on.
pub fn names(repository: &Path, count: usize) -> anyhow::Result<Names> {
    let near = repository.ancestors().map(|folder| folder.join(REAL));
    if let Some(real) = near.into_iter().find(|path| path.exists()) {
        let names = numbered_on(&named_in(&[real])?, count);
        let source = "names of Open Food Facts, each once, then numbered on; \
                      prices, tax, stock and categories are made up";
        return Ok(Names { names, source: source.to_owned() });
    }
    let own = ["products_corner.csv", "products_lane.csv"];
    let few = named_in(&own.map(|name| repository.join("xtask/data").join(name)))?;
    let names = numbered_on(&few, count);
    let source = format!(
        "{} names of Open Food Facts, numbered on; the numbers, prices, tax, stock and categories are made up",
        few.len()
    );
    Ok(Names { names, source })
}

fn numbered_on(names: &[String], count: usize) -> Vec<String> {
    let again = (0..).flat_map(|n| names.iter().map(move |name| (n, name)));
    let numbered = |(n, name): (usize, &String)| match n {
        0 => name.clone(),
        // No product is called so: "no 1" is a name, and the same name twice is refused.
        n => format!("{name} kirana{n}"),
    };
    again.map(numbered).take(count).collect()
}

const REAL: &str = "shared/data/off_products_100k.csv";

/// The names of files that the shop's import takes, each once: one that differs only in its case
/// or accents is the same product again.
fn named_in(paths: &[std::path::PathBuf]) -> anyhow::Result<Vec<String>> {
    let (mut names, mut known) = (Vec::new(), BTreeSet::new());
    for path in paths {
        let mut table = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
        let column = table.headers()?.iter().position(|name| name == "name");
        let column = column.with_context(|| format!("{} has no names", path.display()))?;
        for record in table.into_byte_records() {
            let record = record?;
            let name = std::str::from_utf8(record.get(column).unwrap_or_default());
            let name = name.unwrap_or_default().trim();
            let folded = text::searchable([name]);
            let fits = !folded.is_empty() && name.chars().count() <= NAME_CHARS_MAX;
            if fits && known.insert(folded) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

/// Longer names are refused by the import.
const NAME_CHARS_MAX: usize = 300;

/// What it took to bring them in.
#[derive(Debug, Clone, Copy)]
pub struct Imported {
    /// From the start of the program to its end.
    pub took: Duration,
    /// Seconds of processor.
    pub processor: f64,
    /// The most memory that the program had at once.
    pub peak_mib: f64,
}

/// Writes them as a file of the shopkeeper's.
pub fn file(folder: &Path, names: &Names) -> anyhow::Result<PathBuf> {
    let file = folder.join("products.csv");
    let mut table = csv::Writer::from_path(&file)?;
    table.write_record(["name", "price", "tax_percent", "stock", "category"])?;
    for (n, name) in names.names.iter().enumerate() {
        let (price, tax) = (format!("{}.50", 10 + n % 400), [5, 12, 18][n % 3].to_string());
        let category = if n % 1000 == 7 { RARE } else { USUAL[n * 7 % USUAL.len()] };
        table.write_record([name.as_str(), &price, &tax, &PIECES.to_string(), category])?;
    }
    table.flush()?;
    Ok(file)
}

/// A category that one product in a thousand has.
pub const RARE: &str = "fruit/coconut";
/// One that stands above many.
pub const BROAD: &str = "grains";
const USUAL: [&str; 12] = [
    "grains/rice/basmati",
    "dairy/milk/fresh",
    "grains/pasta",
    "vegetables/roots",
    "dairy/curd",
    "grains/cereals",
    "fruit/citrus",
    "vegetables/onions",
    "dairy/paneer",
    "grains/pulses/lentils",
    "fruit/berries",
    "grains/flour/wheat",
];

/// Has the program import them.
pub fn import(home: &Home, names: &Names) -> anyhow::Result<Imported> {
    let file = file(home.folder(), names)?;
    let watch = Stopwatch::start();
    let mut importing = Command::new(env!("CARGO_BIN_EXE_kirana-shop"))
        .arg("import")
        .arg(&file)
        .args(["--format", "csv", "--json", "--data"])
        .arg(home.folder())
        .env("RUST_LOG", "error")
        .stdout(Stdio::null())
        .spawn()?;
    let (process, (end, ended)) = (importing.id(), mpsc::channel::<()>());
    let (mut used, mut peak) = (0.0, 0.0);
    let status = std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let status = importing.wait();
            drop(end);
            status
        });
        // Both only ever grow, so what was seen last is nearly what they came to.
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_AGAIN) {
            used = processor(process).unwrap_or(used);
            peak = peak_mib(process).unwrap_or(peak);
        }
        waiting.join()
    });
    let status = status.map_err(|_| anyhow::anyhow!("nobody waited for the import"))??;
    ensure!(status.success(), "the products were not imported");
    Ok(Imported { took: watch.elapsed(), processor: used, peak_mib: peak })
}

/// How often it is looked how much the import uses.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
