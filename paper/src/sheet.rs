//! How labels lie on a sheet or a roll.
//!
//! **Invariant:** every cell of a [`Layout`] lies on its page and none touches another.

use crate::{length::Length, page::Area};

/// Where the labels of a page are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    page: (Length, Length),
    label: (Length, Length),
    grid: (i32, i32),
    first: (Length, Length),
    gap: (Length, Length),
    inset: (Length, Length),
    is_cut: bool,
}

/// Sizes that no layout has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotALayout {
    /// A label on which nothing can be read, or beyond any printer.
    #[error(
        "a label has {LABEL_WIDTH_MIN} to {SIDE_MAX} mm by {LABEL_HEIGHT_MIN} to {SIDE_MAX} mm"
    )]
    LabelSize,
    /// A page beyond any printer.
    #[error("a page has at most {SIDE_MAX} mm on a side")]
    PageSize,
    /// The label is larger than the page.
    #[error("a label of that size does not fit on the page")]
    NoRoom,
}

impl Layout {
    /// A4 with 3 by 8 labels of 70 x 36 mm.
    pub fn a4_3x8() -> Self {
        let margin = (Length::ZERO, Length::um(4_500));
        Self { inset: EDGE_TO_EDGE, first: margin, ..Self::of(A4, (70_000, 36_000), (3, 8)) }
    }

    /// A4 with 3 by 8 labels of 70 x 37 mm.
    pub fn a4_3x8_high() -> Self {
        let margin = (Length::ZERO, Length::um(500));
        Self { inset: EDGE_TO_EDGE, first: margin, ..Self::of(A4, (70_000, 37_000), (3, 8)) }
    }

    /// A4 with 2 by 7 labels of 99.1 x 38.1 mm, 2.5 mm apart.
    pub fn a4_2x7() -> Self {
        let first = (Length::um(4_650), Length::um(15_150));
        let gap = (Length::um(2_500), Length::ZERO);
        Self { first, gap, ..Self::of(A4, (99_100, 38_100), (2, 7)) }
    }

    /// A4 across, five strips of four labels of 70 x 39 mm for the rail of a shelf, to be cut out.
    pub fn strips() -> Self {
        let first = (Length::um(8_500), Length::um(7_500));
        let across = (A4.1, A4.0);
        Self { first, is_cut: true, ..Self::of(across, (70_000, 39_000), (4, 5)) }
    }

    /// A roll with one label to a page.
    ///
    /// # Errors
    /// [`NotALayout::LabelSize`].
    pub fn roll(width: Length, height: Length) -> Result<Self, NotALayout> {
        Self::sheet((width, height), (width, height), Length::ZERO)
    }

    /// As many labels as a page has room for, this far apart, in the middle of it.
    ///
    /// # Errors
    /// [`NotALayout`].
    pub fn sheet(
        page: (Length, Length),
        label: (Length, Length),
        gap: Length,
    ) -> Result<Self, NotALayout> {
        let side_max = Length::mm(SIDE_MAX);
        let (width_min, height_min) = (Length::mm(LABEL_WIDTH_MIN), Length::mm(LABEL_HEIGHT_MIN));
        if label.0 < width_min || label.1 < height_min || label.0 > side_max || label.1 > side_max {
            return Err(NotALayout::LabelSize);
        }
        if page.0 > side_max || page.1 > side_max {
            return Err(NotALayout::PageSize);
        }
        let count = |page: Length, label: Length| (page + gap).as_um() / (label + gap).as_um();
        let grid = (count(page.0, label.0), count(page.1, label.1));
        if grid.0 < 1 || grid.1 < 1 || gap < Length::ZERO {
            return Err(NotALayout::NoRoom);
        }
        let first = |page: Length, label: Length, n: i32| (page - label * n - gap * (n - 1)) / 2;
        let first = (first(page.0, label.0, grid.0), first(page.1, label.1, grid.1));
        let label_um = (label.0.as_um(), label.1.as_um());
        Ok(Self { first, gap: (gap, gap), ..Self::of(page, label_um, grid) })
    }

    fn of(page: (Length, Length), (width, height): (i32, i32), grid: (i32, i32)) -> Self {
        let nothing = (Length::ZERO, Length::ZERO);
        let label = (Length::um(width), Length::um(height));
        let inset = Length::um(2_000).min(label.1.percent(6));
        let (first, gap, inset) = (nothing, nothing, (inset, inset));
        Self { page, label, grid, first, gap, inset, is_cut: false }
    }

    /// How wide and high a page is.
    pub fn page(&self) -> (Length, Length) {
        self.page
    }

    /// How many labels a page has.
    pub fn per_page(&self) -> usize {
        usize::try_from(self.grid.0 * self.grid.1).unwrap_or(1)
    }

    /// The place of a label by its number on the page, from 0, line by line.
    pub fn cell(&self, number: usize) -> Area {
        let number = i32::try_from(number % self.per_page()).unwrap_or(0);
        let (column, row) = (number % self.grid.0, number / self.grid.0);
        Area {
            x: self.first.0 + (self.label.0 + self.gap.0) * column,
            y: self.first.1 + (self.label.1 + self.gap.1) * row,
            width: self.label.0,
            height: self.label.1,
        }
    }

    /// The part of a cell that is printed on: printers leave the edge of a sheet white.
    pub fn inside(&self, number: usize) -> Area {
        let cell = self.cell(number);
        Area {
            x: cell.x + self.inset.0,
            y: cell.y + self.inset.1,
            width: cell.width - self.inset.0 * 2,
            height: cell.height - self.inset.1 * 2,
        }
    }

    /// Where the sheet is to be cut, if it is.
    pub(crate) fn cuts(&self) -> Vec<Area> {
        if !self.is_cut {
            return Vec::new();
        }
        let (grid_width, grid_height) = (self.label.0 * self.grid.0, self.label.1 * self.grid.1);
        let (x, y) = self.first;
        let across = (0..=self.grid.1).map(|n| Area {
            x,
            y: y + self.label.1 * n,
            width: grid_width,
            height: HAIR,
        });
        let down = (0..=self.grid.0).map(|n| Area {
            x: x + self.label.0 * n,
            y,
            width: HAIR,
            height: grid_height,
        });
        across.chain(down).collect()
    }
}

/// The ISO 216 sheet, upright.
pub const A4: (Length, Length) = (Length::mm(210), Length::mm(297));
/// The narrowest label, in millimetres.
const LABEL_WIDTH_MIN: i32 = 35;
/// The lowest label, in millimetres.
const LABEL_HEIGHT_MIN: i32 = 20;
/// The longest side of a label or page, in millimetres.
const SIDE_MAX: i32 = 600;
/// Where labels go to the edges of the sheet, which printers cannot reach.
const EDGE_TO_EDGE: (Length, Length) = (Length::um(4_500), Length::um(2_500));
const HAIR: Length = Length::um(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn mm(text: &str) -> Length {
        text.parse().expect("a length")
    }

    #[test]
    fn every_label_lies_on_the_page_and_beside_the_others() {
        let own = Layout::sheet(A4, (mm("52.5"), mm("29.7")), mm("1"));
        let roll = Layout::roll(mm("58"), mm("40"));
        for (layout, count) in [
            (Layout::a4_3x8(), 24),
            (Layout::a4_3x8_high(), 24),
            (Layout::a4_2x7(), 14),
            (Layout::strips(), 20),
            (own.expect("a layout"), 27),
            (roll.expect("a layout"), 1),
        ] {
            assert_eq!(layout.per_page(), count);
            let (width, height) = layout.page();
            let page = Area { x: Length::ZERO, y: Length::ZERO, width, height };
            let cells: Vec<Area> = (0..count).map(|n| layout.cell(n)).collect();
            for (n, cell) in cells.iter().enumerate() {
                assert!(page.holds(*cell) && cell.holds(layout.inside(n)), "{cell:?}");
                let apart = |other: &Area| {
                    other.x >= cell.right()
                        || other.y >= cell.bottom()
                        || other.right() <= cell.x
                        || other.bottom() <= cell.y
                };
                assert!(cells.iter().enumerate().all(|(m, other)| m == n || apart(other)));
            }
        }
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        assert_eq!(Layout::roll(mm("34.9"), mm("40")), Err(NotALayout::LabelSize));
        assert_eq!(Layout::roll(mm("58"), mm("601")), Err(NotALayout::LabelSize));
        assert_eq!(
            Layout::sheet((mm("601"), mm("40")), (mm("58"), mm("40")), mm("0")),
            Err(NotALayout::PageSize)
        );
        assert_eq!(Layout::sheet(A4, (mm("211"), mm("40")), mm("0")), Err(NotALayout::NoRoom));
    }
}
