//! Price labels, from the command line.

use std::path::PathBuf;

use kirana_core::{catalogue::product::Language, day::Day, id::ProductId};
use kirana_paper::labels::{LABELS_MAX, Printed, print};
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::labels::{Chosen, Wanted, Which, sheets::Asked},
    clock,
    config::fonts,
    home::Home,
};

/// Writes price labels with barcodes as a PDF.
///
/// A label says name, brand and size, the price at this moment with a deal or a price for a time,
/// the price of a kilogram or litre, the legal maximum (MRP), the deposit, and has the product's
/// barcode: EAN-13, EAN-8 or ITF-14 for its number, else Code 128 of the shop's own (`sku`). Loose goods are
/// priced by the kilogram. Say which products: by id, words, category, or `--all`.
#[derive(clap::Args)]
pub struct Labels {
    #[command(flatten)]
    data: Data,
    /// The PDF; one that is there is replaced once the new one is whole.
    file: PathBuf,
    /// A product by its id; may be given again.
    #[arg(long = "product", value_name = "ID", conflicts_with_all = ["search", "category", "all"])]
    products: Vec<ProductId>,
    /// Products that these words find.
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Products of this category and all below it, by its id, or by a word of the shop's own.
    #[arg(long)]
    category: Option<String>,
    /// Every product on the shelf.
    #[arg(long, conflicts_with_all = ["search", "category"])]
    all: bool,
    /// Only labels on which something else stood when this day began, such as 2026-11-20, so that
    /// they have to be put up anew: a price changed, was planned for a day since, or a deal is over.
    #[arg(long, value_name = "DAY")]
    changed_since: Option<Day>,
    /// The sheet: 3x8 (A4, 70 x 36 mm), 3x8-37 (A4, 70 x 37 mm), 2x7 (A4, 99.1 x 38.1 mm), strips
    /// (A4 across, 70 x 39 mm, to be cut out) or roll (58 x 40 mm); 3x8 unless given.
    #[arg(long)]
    layout: Option<String>,
    /// A label of one's own, in millimetres, such as 58x40.
    #[arg(long, value_name = "WxH")]
    label: Option<String>,
    /// The sheet with such labels, in millimetres, such as 210x297; one label to a page if left out.
    #[arg(long, value_name = "WxH")]
    page: Option<String>,
    /// How far such labels are apart, in millimetres.
    #[arg(long, value_name = "MM")]
    gap: Option<String>,
    /// How many of each.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    copies: u16,
    /// The first label of the first sheet that is still there, counted from 1 line by line.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    begin: u16,
    /// The language of names and words, such as `hi`.
    #[arg(long, default_value = "en")]
    language: String,
    /// A TrueType or OpenType font for what the built-in ones lack; they have Latin and Devanagari.
    #[arg(long, value_name = "FILE")]
    font: Vec<PathBuf>,
}

impl Labels {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let usage = |why: &dyn std::fmt::Display| Failure::usage(why.to_string());
        let asked = Asked {
            layout: self.layout.clone(),
            label: self.label.clone(),
            page: self.page.clone(),
            gap: self.gap.clone(),
        };
        let layout = asked.layout().map_err(|why| usage(&why))?;
        let language: Language = self.language.parse().map_err(|why| usage(&why))?;
        let (of, fonts) = (self.which()?, fonts(&self.font)?);
        let shop = with(self.data).shop()?;
        let wanted = Wanted {
            of,
            changed_since: self.changed_since.map(|day| shop.begin_of(day)),
            language,
            copies: self.copies,
            limit: LABELS_MAX,
        };
        let chosen = shop.labels(&wanted, clock::now()).map_err(Failure::of)?;
        let begin = usize::from(self.begin) - 1;
        if chosen.labels.is_empty() && wanted.changed_since.is_some() {
            let says = "No label has changed since then.";
            return Ok(Done::new(says, json!({ "labels": 0, "file": null })));
        }
        let printed = print(&chosen.labels, &layout, begin, &fonts, language.as_str());
        let printed = printed.map_err(Failure::of)?;
        let cannot = |why| Failure::of(format!("{} cannot be written: {why}", self.file.display()));
        let mut part = self.file.clone().into_os_string();
        part.push(".part");
        std::fs::write(&part, &printed.pdf).map_err(cannot)?;
        std::fs::rename(&part, &self.file).map_err(cannot)?;
        Ok(told(&chosen, &printed, &self.file))
    }

    fn which(&self) -> Result<Which, Failure> {
        if !self.products.is_empty() {
            return Ok(Which::Named(self.products.clone()));
        }
        let chooses = self.search.is_some() || self.category.is_some() || self.all;
        if !chooses && self.changed_since.is_none() {
            let says =
                "say which labels: --product, --search, --category, --changed-since or --all";
            return Err(Failure::usage(says));
        }
        let question = self.search.as_deref().unwrap_or_default().parse();
        let question =
            question.map_err(|why: kirana_migrations::catalogue::question::NotAQuestion| {
                Failure::usage(why.to_string())
            })?;
        Ok(Which::Found { question, category: self.category.clone() })
    }
}

/// What was printed, and what of it is not as somebody may expect.
fn told(chosen: &Chosen, printed: &Printed, file: &std::path::Path) -> Done {
    let labels = chosen.labels.len();
    let mut says =
        vec![format!("{labels} labels on {} pages are in {}.", printed.pages, file.display())];
    if !printed.left_out.is_empty() {
        let characters: Vec<String> =
            printed.left_out.iter().map(|c| format!("{c} (U+{:04X})", u32::from(*c))).collect();
        says.push(format!(
            "Left out, because no font has them or they are written from the right: {}. Another font \
             may be given by --font.",
            characters.join(", ")
        ));
    }
    if !printed.without_barcode.is_empty() {
        let mut names = printed.without_barcode.clone();
        names.dedup();
        let shown = names.iter().take(NAMES_SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
        let more = if names.len() > NAMES_SHOWN_MAX { ", …" } else { "" };
        says.push(format!(
            "Without a barcode, which did not fit or has letters that none has: {shown}{more}. Give \
             them a short sku, or use larger labels."
        ));
    }
    if chosen.without_price > 0 {
        says.push(format!("{} have no price, and so no label.", chosen.without_price));
    }
    if chosen.is_past_forgotten {
        says.push(
            "What stood on some labels then is not kept any more, so all of these are printed."
                .to_owned(),
        );
    }
    let shown = json!({
        "labels": labels, "pages": printed.pages, "file": file, "left_out": printed.left_out,
        "without_barcode": printed.without_barcode, "without_price": chosen.without_price,
        "is_past_forgotten": chosen.is_past_forgotten,
    });
    Done::new(says.join("\n"), shown)
}

/// Names of labels without a barcode that are told; programs get them all.
const NAMES_SHOWN_MAX: usize = 10;
