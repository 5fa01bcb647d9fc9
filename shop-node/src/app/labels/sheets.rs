//! The sheets and rolls that labels are printed on, by the names that people give them.

use kirana_paper::{
    length::{Length, NotALength},
    sheet::{Layout, NotALayout},
};

/// A sheet or roll as somebody asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// One of [`NAMES`].
    pub layout: Option<String>,
    /// The size of a label of one's own, such as `58x40`.
    pub label: Option<String>,
    /// The size of the sheet that it lies on, such as `210x297`; the label is the page if left out.
    pub page: Option<String>,
    /// How far labels of one's own are apart.
    pub gap: Option<String>,
}

/// What is known by name.
pub const NAMES: &str = "3x8 (A4, 70 x 36 mm), 3x8-37 (A4, 70 x 37 mm), 2x7 (A4, 99.1 x 38.1 mm), \
                         strips (A4 across, 70 x 39 mm) or roll (58 x 40 mm)";

/// A sheet that is not known, or cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASheet {
    /// No such name.
    #[error("there is no layout {0:?}: use {NAMES}")]
    Name(String),
    /// A size that is none.
    #[error("{0:?} is no size: write it in millimetres, such as 58x40 or 99.1x38.1")]
    Size(String),
    /// A distance that is none.
    #[error(transparent)]
    Length(#[from] NotALength),
    /// A name and sizes of one's own.
    #[error("a layout has its sizes already: give either a layout or the size of a label")]
    Both,
    /// Sizes of a page without that of a label.
    #[error("the size of the label is missing")]
    NoLabel,
    /// Sizes that do not go together.
    #[error(transparent)]
    Layout(#[from] NotALayout),
}

impl Asked {
    /// The layout that is meant; A4 with 3 by 8 labels unless something else is.
    ///
    /// # Errors
    /// [`NotASheet`].
    pub fn layout(&self) -> Result<Layout, NotASheet> {
        let is_own = self.page.is_some() || self.gap.is_some();
        match (&self.layout, &self.label) {
            (Some(_), Some(_)) => Err(NotASheet::Both),
            (Some(_), None) if is_own => Err(NotASheet::Both),
            (Some(name), None) => named(name),
            (None, None) if is_own => Err(NotASheet::NoLabel),
            (None, None) => Ok(Layout::a4_3x8()),
            (None, Some(label)) => {
                let label = size(label)?;
                let page = self.page.as_deref().map_or(Ok(label), size)?;
                let gap = self.gap.as_deref().map(str::parse).transpose()?;
                Ok(Layout::sheet(page, label, gap.unwrap_or(Length::ZERO))?)
            }
        }
    }
}

fn named(name: &str) -> Result<Layout, NotASheet> {
    match name {
        "3x8" => Ok(Layout::a4_3x8()),
        "3x8-37" => Ok(Layout::a4_3x8_high()),
        "2x7" => Ok(Layout::a4_2x7()),
        "strips" => Ok(Layout::strips()),
        "roll" => Ok(Layout::roll(Length::mm(58), Length::mm(40))?),
        other => Err(NotASheet::Name(other.to_owned())),
    }
}

fn size(text: &str) -> Result<(Length, Length), NotASheet> {
    let no_size = || NotASheet::Size(text.to_owned());
    let (width, height) = text.split_once(['x', 'X', '×']).ok_or_else(no_size)?;
    let side = |side: &str| side.trim().parse::<Length>().map_err(|_| no_size());
    Ok((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(layout: &str, label: &str, page: &str, gap: &str) -> Result<Layout, NotASheet> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Asked { layout: given(layout), label: given(label), page: given(page), gap: given(gap) }
            .layout()
    }

    #[test]
    fn sheets_are_known_by_name_or_by_size() {
        assert_eq!(asked("", "", "", ""), Ok(Layout::a4_3x8()));
        assert_eq!(asked("roll", "", "", ""), asked("", "58x40", "", ""));
        assert_eq!(asked("", "50x30", "210x297", "2").map(|sheet| sheet.per_page()), Ok(36));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert_eq!(asked("4x4", "", "", ""), Err(NotASheet::Name("4x4".to_owned())));
        assert_eq!(asked("2x7", "58x40", "", ""), Err(NotASheet::Both));
        assert_eq!(asked("2x7", "", "", "1"), Err(NotASheet::Both));
        assert_eq!(asked("", "", "210x297", ""), Err(NotASheet::NoLabel));
        assert_eq!(asked("", "58", "", ""), Err(NotASheet::Size("58".to_owned())));
        assert_eq!(asked("", "58x-40", "", ""), Err(NotASheet::Size("58x-40".to_owned())));
        assert_eq!(asked("", "9x9", "", ""), Err(NotASheet::Layout(NotALayout::LabelSize)));
        assert_eq!(asked("", "58x40", "", "far"), Err(NotASheet::Length(NotALength)));
    }
}
