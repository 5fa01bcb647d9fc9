//! Tables with columns that go on from page to page, their heads on each.
//!
//! **Invariant:** a row is never torn apart, and nothing of a cell is cut off.

use crate::{
    fonts::Weight,
    length::Length,
    page::{Area, Page},
    setting::{Line, Setter},
};

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Above it on every page.
    pub head: String,
    /// How wide it is, with the gap to the next.
    pub width: Length,
    /// Whether its cells end at the right, as amounts do.
    pub is_amount: bool,
}

/// Pages that are filled from the top, each with the same margins.
pub struct Flow {
    size: (Length, Length),
    margin: Length,
    pages: Vec<Page>,
    y: Length,
}

impl Flow {
    /// An empty first page. Of each page `margin` stays white on all sides.
    pub fn new(size: (Length, Length), margin: Length) -> Self {
        Self { size, margin, pages: vec![Page::new(size.0, size.1)], y: margin }
    }

    /// How wide a line may be.
    pub fn width(&self) -> Length {
        self.size.0 - self.margin * 2
    }

    /// Where lines begin, from the left.
    pub fn left(&self) -> Length {
        self.margin
    }

    /// How far down the page is filled.
    pub fn y(&self) -> Length {
        self.y
    }

    /// Goes to a place on this page.
    pub fn go_to(&mut self, y: Length) {
        self.y = y;
    }

    /// Whether so much more goes onto the page.
    pub fn has_room(&self, height: Length) -> bool {
        self.y + height <= self.size.1 - self.margin - FOOT
    }

    /// The page that is being filled.
    pub fn page(&mut self) -> &mut Page {
        self.pages.last_mut().expect("there is a first page")
    }

    /// Goes on at the top of a new page.
    pub fn turn(&mut self) {
        self.pages.push(Page::new(self.size.0, self.size.1));
        self.y = self.margin;
    }

    /// Puts a line at the left and goes below it.
    pub fn line(&mut self, line: Line) {
        let (x, y, height) = (self.margin, self.y, line.height());
        self.page().text(x, y, line);
        self.y = self.y + height;
    }

    /// Puts a line at the right, at the height of the last one.
    pub fn at_the_right(&mut self, y: Length, line: Line) {
        let x = self.size.0 - self.margin - line.width();
        self.page().text(x, y, line);
    }

    /// A thin line over the whole width.
    pub fn rule(&mut self) {
        let area = Area { x: self.margin, y: self.y, width: self.width(), height: HAIR };
        self.page().hairline(area);
        self.y = self.y + GAP;
    }

    /// The pages, with what stands at the foot of each: its number and how many there are.
    pub fn finished(
        self,
        setter: &mut Setter<'_>,
        foot: impl Fn(usize, usize) -> String,
    ) -> Vec<Page> {
        let (count, margin, (width, height)) = (self.pages.len(), self.margin, self.size);
        let numbered = self.pages.into_iter().zip(1..).map(|(mut page, n)| {
            let line = setter.cut(&foot(n, count), Weight::Regular, FOOT_SIZE, width - margin * 2);
            page.small_print(width - margin - line.width(), height - margin - line.height(), line);
            page
        });
        numbered.collect()
    }
}

/// Puts a table; `rows` have one cell for each column.
pub fn put(
    flow: &mut Flow,
    setter: &mut Setter<'_>,
    columns: &[Column],
    rows: &[Vec<String>],
    size: Length,
) {
    let heads: Vec<String> = columns.iter().map(|column| column.head.clone()).collect();
    let head = Row::set(setter, columns, &heads, (Weight::Bold, size));
    let first = rows.first().map(|row| Row::set(setter, columns, row, (Weight::Regular, size)));
    if !flow.has_room(head.height + first.map_or(Length::ZERO, |row| row.height)) {
        flow.turn();
    }
    head.put(flow, columns);
    flow.rule();
    for cells in rows {
        let row = Row::set(setter, columns, cells, (Weight::Regular, size));
        if !flow.has_room(row.height) {
            flow.turn();
            head.put(flow, columns);
            flow.rule();
        }
        row.put(flow, columns);
    }
    flow.rule();
}

struct Row {
    cells: Vec<Vec<Line>>,
    height: Length,
}

impl Row {
    fn set(
        setter: &mut Setter<'_>,
        columns: &[Column],
        cells: &[String],
        (weight, size): (Weight, Length),
    ) -> Self {
        let cell = |(column, text): (&Column, &String)| {
            let width = column.width - CELL_GAP;
            if !column.is_amount {
                return setter.wrap(text, weight, size, (width, usize::MAX));
            }
            // An amount is never broken: rather it is smaller.
            let mut line = setter.line(text, weight, size);
            let mut smaller = size;
            while line.width() > width && smaller > AMOUNT_SIZE_MIN {
                smaller = smaller.percent(93);
                line = setter.line(text, weight, smaller);
            }
            match line.width() > width {
                true => setter.wrap(text, weight, smaller, (width, usize::MAX)),
                false => vec![line],
            }
        };
        let cells: Vec<Vec<Line>> = columns.iter().zip(cells).map(cell).collect();
        let high = |lines: &Vec<Line>| {
            lines.iter().map(Line::height).fold(Length::ZERO, std::ops::Add::add)
        };
        let height = cells.iter().map(high).max().unwrap_or(Length::ZERO);
        Self { cells, height }
    }

    fn put(&self, flow: &mut Flow, columns: &[Column]) {
        let (mut x, top) = (flow.left(), flow.y());
        for (column, lines) in columns.iter().zip(&self.cells) {
            let mut y = top;
            for line in lines {
                let shift = column.width - CELL_GAP - line.width();
                let at = if column.is_amount { x + shift.max(Length::ZERO) } else { x };
                flow.page().text(at, y, line.clone());
                y = y + line.height();
            }
            x = x + column.width;
        }
        flow.go_to(top + self.height);
    }
}

const CELL_GAP: Length = Length::um(1_500);
const GAP: Length = Length::um(800);
const HAIR: Length = Length::um(150);
/// What the number of the page needs.
const FOOT: Length = Length::mm(6);
const FOOT_SIZE: Length = Length::um(2_400);
const AMOUNT_SIZE_MIN: Length = Length::um(1_500);
