//! Labels for shelves and goods: what it is, what it costs, and a barcode.
//!
//! **Invariant:** a label lies within its cell with all that it says but the end of a long name;
//! where that is not possible nothing is printed, and a barcode that does not fit is named.

use std::collections::BTreeSet;

use kirana_core::gtin::Gtin;

use crate::{
    barcode::{NotABarcode, Symbol},
    fonts::{Fonts, Weight},
    length::Length,
    page::{Area, Page, Pages, Unwritable},
    setting::{Line, Setter},
    sheet::Layout,
};

/// What one label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What it is; two lines at most.
    pub name: String,
    /// Brand and size; one line.
    pub about: Option<String>,
    /// What it costs, in large letters, with its currency.
    pub price: String,
    /// For how much that is, such as `/ kg`.
    pub per: Option<String>,
    /// A deal or a price that holds for a time.
    pub offer: Vec<String>,
    /// Unit price, legal maximum, deposit.
    pub notes: Vec<String>,
    /// What a scanner reads.
    pub code: Option<Code>,
}

/// What a barcode says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// The number of the article, the same in every shop.
    Gtin(Gtin),
    /// A number of the shop's own.
    Own(String),
}

impl Code {
    fn symbol(&self) -> Result<Symbol, NotABarcode> {
        match self {
            Self::Gtin(gtin) => Ok(Symbol::of_gtin(*gtin)),
            Self::Own(text) => Symbol::of_text(text),
        }
    }
}

/// Labels as a PDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The file.
    pub pdf: Vec<u8>,
    /// How many pages it has.
    pub pages: usize,
    /// Characters that no font has, or that are written from the right: they are missing on paper.
    pub left_out: BTreeSet<char>,
    /// The names of labels whose code is not on them as a barcode, for want of room or of letters.
    pub without_barcode: Vec<String>,
}

/// Why no labels were printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPrinted {
    /// There is none.
    #[error("there is no label to print")]
    Nothing,
    /// More than fit in one file.
    #[error("these are {0} labels, and {LABELS_MAX} are printed at once: choose fewer")]
    TooMany(usize),
    /// The sheet has no such label.
    #[error("the sheet has {per_page} labels: begin at one of them")]
    Begin {
        /// How many it has.
        per_page: usize,
    },
    /// What has to be said needs more room.
    #[error("the label is too small for all that has to be on it for {0:?}: use a larger one")]
    TooSmall(String),
    /// No PDF.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// The most labels of one file.
pub const LABELS_MAX: usize = 10_000;

/// Prints labels in their order. Of the first sheet, `begin` cells are used up already.
///
/// # Errors
/// [`NotPrinted`].
pub fn print(
    labels: &[Label],
    layout: &Layout,
    begin: usize,
    fonts: &Fonts,
    language: &str,
) -> Result<Printed, NotPrinted> {
    let per_page = layout.per_page();
    if begin >= per_page {
        return Err(NotPrinted::Begin { per_page });
    }
    match labels.len() {
        0 => return Err(NotPrinted::Nothing),
        n if n > LABELS_MAX => return Err(NotPrinted::TooMany(n)),
        _ => {}
    }
    let mut pages = Pages::new("Labels", language);
    let (mut setter, mut without_barcode) = (Setter::new(fonts), Vec::new());
    let (width, height) = layout.page();
    let (mut rest, mut at) = (labels, begin);
    while !rest.is_empty() {
        let (these, later) = rest.split_at(rest.len().min(per_page - at));
        let mut page = Page::new(width, height);
        layout.cuts().into_iter().for_each(|cut| page.hairline(cut));
        for (n, label) in (at..).zip(these) {
            let fitted = fit(&mut setter, label, layout.inside(n));
            let fitted = fitted.ok_or_else(|| NotPrinted::TooSmall(label.name.clone()))?;
            if fitted.barcode.is_none() && label.code.is_some() {
                without_barcode.push(label.name.clone());
            }
            fitted.put(&mut page, &mut setter);
        }
        pages.add(&page);
        (rest, at) = (later, 0);
    }
    let (count, left_out) = (pages.count(), setter.left_out().clone());
    Ok(Printed { pdf: pages.finish()?, pages: count, left_out, without_barcode })
}

/// A label whose lines have their places.
struct Fitted {
    lines: Vec<(Length, Length, Line)>,
    barcode: Option<Barcode>,
}

struct Barcode {
    symbol: Symbol,
    module: Length,
    bars: Area,
}

/// What is given up, step by step, for everything to fit.
#[derive(Clone, Copy)]
struct Style {
    name_lines: usize,
    /// The size of all but name and price.
    small: Length,
    /// How much of the width a barcode beside the price may take; `None` puts it below.
    beside_percent: Option<i32>,
    price_size_min: Length,
}

/// Lines of the name, and the size of small letters.
const TEXTS: [(usize, Length); 5] = [
    (2, Length::um(2_300)),
    (2, Length::um(2_000)),
    (1, Length::um(2_000)),
    (1, Length::um(1_800)),
    (1, Length::um(1_600)),
];
const BARCODES: [Option<i32>; 3] = [Some(60), Some(50), None];
/// A price that is seen from the aisle, and one that can be read at all.
const PRICES: [Length; 2] = [Length::um(5_000), Length::um(3_000)];

fn fit(setter: &mut Setter<'_>, label: &Label, cell: Area) -> Option<Fitted> {
    let has_symbol = label.code.as_ref().is_some_and(|code| code.symbol().is_ok());
    let styles = PRICES.into_iter().flat_map(|price_size_min| {
        TEXTS.into_iter().flat_map(move |(name_lines, small)| {
            let style =
                move |beside_percent| Style { name_lines, small, beside_percent, price_size_min };
            BARCODES.into_iter().map(style)
        })
    });
    let mut without = None;
    for style in styles {
        let fitted = fit_in(setter, label, cell, style);
        match fitted {
            // Rather a shorter name than no barcode.
            Some(fitted) if fitted.barcode.is_none() && has_symbol => {
                without.get_or_insert(fitted);
            }
            Some(fitted) => return Some(fitted),
            None => {}
        }
    }
    without
}

fn fit_in(setter: &mut Setter<'_>, label: &Label, cell: Area, style: Style) -> Option<Fitted> {
    let Style { name_lines, small, .. } = style;
    let name_size = cell.height.percent(11).clamp(NAME_SIZE_MIN, NAME_SIZE_MAX);
    let (mut lines, mut y) = (Vec::new(), cell.y);
    let mut put = |line: Line, y: &mut Length| {
        let height = line.height();
        lines.push((cell.x, *y, line));
        *y = *y + height;
    };
    for line in setter.wrap(&label.name, Weight::Bold, name_size, (cell.width, name_lines)) {
        put(line, &mut y);
    }
    if let Some(about) = &label.about {
        put(setter.cut(about, Weight::Regular, small, cell.width), &mut y);
    }
    let room = Area { y, height: cell.bottom() - y, ..cell };
    let barcode = label.code.as_ref().and_then(|code| code.symbol().ok());
    let barcode = barcode.and_then(|symbol| place(symbol, room, style.beside_percent));
    let beside = match &barcode {
        Some(Barcode { bars, .. }) if bars.x > cell.x => {
            Area { width: bars.x - room.x - GAP, ..room }
        }
        Some(Barcode { bars, .. }) => Area { height: bars.y - room.y - GAP, ..room },
        None => room,
    };
    lines.extend(price(setter, label, beside, style)?);
    Some(Fitted { lines, barcode })
}

/// A barcode at the right of the price, or below it where it is too wide for that.
fn place(symbol: Symbol, room: Area, beside_percent: Option<i32>) -> Option<Barcode> {
    let beside = beside_percent.filter(|_| room.width >= BESIDE_WIDTH_MIN);
    let beside = beside.and_then(|percent| symbol.module_within(room.width.percent(percent)));
    let (module, height_max) = match beside {
        Some(module) => (module, room.height - DIGITS_HEIGHT),
        None => {
            (symbol.module_within(room.width)?, room.height.percent(BELOW_PERCENT) - DIGITS_HEIGHT)
        }
    };
    let height = symbol.height(module).min(height_max).min(BARS_HEIGHT_MAX);
    if height < BARS_HEIGHT_MIN {
        return None;
    }
    let width = module * symbol.modules();
    let x = if beside.is_some() { room.right() - width } else { room.x };
    let bars = Area { x, y: room.bottom() - DIGITS_HEIGHT - height, width, height };
    Some(Barcode { symbol, module, bars })
}

/// Things that are said, as many on one line as it has room for.
fn packed(
    setter: &mut Setter<'_>,
    said: &[String],
    weight: Weight,
    size: Length,
    width: Length,
) -> Vec<Line> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for one in said {
        let both = if line.is_empty() { one.clone() } else { format!("{line} · {one}") };
        if setter.line(&both, weight, size).width() <= width {
            line = both;
        } else {
            lines.extend(setter.wrap(&line, weight, size, (width, NOTE_LINES_MAX)));
            line.clone_from(one);
        }
    }
    lines.extend(setter.wrap(&line, weight, size, (width, NOTE_LINES_MAX)));
    lines
}

/// The price as large as its room allows, and below it all that has to be said of it.
fn price(
    setter: &mut Setter<'_>,
    label: &Label,
    room: Area,
    Style { small, price_size_min, .. }: Style,
) -> Option<Vec<(Length, Length, Line)>> {
    let mut said = packed(setter, &label.offer, Weight::Bold, small, room.width);
    said.extend(packed(setter, &label.notes, Weight::Regular, small, room.width));
    let height_said = said.iter().map(Line::height).fold(Length::ZERO, std::ops::Add::add);
    let per = label.per.as_deref().unwrap_or_default();
    let per_size = |size: Length| size.percent(PER_PERCENT).max(small);
    let wide = |setter: &mut Setter<'_>, size: Length| {
        let amount = setter.line(&label.price, Weight::Bold, size);
        let per = setter.line(per, Weight::Regular, per_size(size));
        let gap = if per.is_empty() { Length::ZERO } else { size.percent(15) };
        (amount, gap, per)
    };
    let tallest = (room.height - height_said).percent(75).min(PRICE_SIZE_MAX);
    let mut size = tallest;
    let (amount, gap, per) = loop {
        if size < price_size_min {
            return None;
        }
        let (amount, gap, per) = wide(setter, size);
        if amount.width() + gap + per.width() <= room.width {
            break (amount, gap, per);
        }
        size = size.percent(94);
    };
    // Both stand on one line.
    let per_y = room.y + amount.ascent() - per.ascent();
    let (per_x, mut y) = (room.x + amount.width() + gap, room.y + amount.height());
    let mut lines = vec![(room.x, room.y, amount), (per_x, per_y, per)];
    for line in said {
        let height = line.height();
        lines.push((room.x, y, line));
        y = y + height;
    }
    Some(lines)
}

impl Fitted {
    fn put(self, page: &mut Page, setter: &mut Setter<'_>) {
        for (x, y, line) in self.lines {
            page.text(x, y, line);
        }
        let Some(Barcode { symbol, module, bars }) = self.barcode else { return };
        page.bars(bars.x, bars.y, &symbol, (module, bars.height));
        let digits = setter.cut(&spaced(symbol.says()), Weight::Regular, DIGITS_SIZE, bars.width);
        let x = bars.x + (bars.width - digits.width()) / 2;
        page.text(x, bars.bottom(), digits);
    }
}

/// Digits in the groups in which people compare them.
fn spaced(says: &str) -> String {
    let is_digits = says.bytes().all(|b| b.is_ascii_digit());
    match says.len() {
        13 if is_digits => format!("{} {} {}", &says[..1], &says[1..7], &says[7..]),
        14 if is_digits => {
            format!("{} {} {} {}", &says[..1], &says[1..3], &says[3..8], &says[8..])
        }
        8 if is_digits => format!("{} {}", &says[..4], &says[4..]),
        _ => says.to_owned(),
    }
}

const NAME_SIZE_MIN: Length = Length::um(2_600);
const NAME_SIZE_MAX: Length = Length::um(4_500);
const PRICE_SIZE_MAX: Length = Length::um(12_000);
/// How large "/ kg" is beside the price.
const PER_PERCENT: i32 = 45;
/// A note has at most so many lines.
const NOTE_LINES_MAX: usize = 4;
const GAP: Length = Length::um(1_000);
/// How much of the height a barcode below the price may take.
const BELOW_PERCENT: i32 = 45;
const BESIDE_WIDTH_MIN: Length = Length::mm(48);
const BARS_HEIGHT_MIN: Length = Length::mm(5);
const BARS_HEIGHT_MAX: Length = Length::mm(23);
const DIGITS_SIZE: Length = Length::um(2_300);
/// The line of digits below the bars, with the signs' feet.
const DIGITS_HEIGHT: Length = Length::um(3_050);
