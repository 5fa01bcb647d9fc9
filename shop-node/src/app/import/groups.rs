//! Puts rows together that are about one product: those with one handle that follow each other.
//!
//! **Invariant:** a group is bounded, and no row is in two.

use std::collections::BTreeMap;

use super::rows::{Note, Read, Row};

/// The most rows of one group: variants, and rows that show more pictures of them.
const ROWS_MAX: usize = 1_000;

/// Rows of one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// What they have in common, if the file says so.
    pub(super) handle: Option<String>,
    /// Whether an earlier group had the same handle: what that said of the product stays.
    pub(super) is_later: bool,
    /// In the order of the file; at least one.
    pub(super) rows: Vec<Part>,
}

/// A row of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) row: Row,
    /// Whether a variant comes of it; where not, it was refused, or is not about one.
    pub(super) is_variant: bool,
}

impl Group {
    /// Rows of which variants come.
    pub(super) fn variants(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|part| part.is_variant).map(|part| &part.row)
    }

    /// Roughly how many bytes of the catalogue come of it.
    pub(super) fn bytes(&self) -> usize {
        let bytes_of = |row: &Row| {
            let words = row.names.values().chain(&row.synonyms).chain(&row.diets);
            let words = words.chain(&row.allergens).map(String::len).sum::<usize>();
            let texts = [&row.description, &row.ingredients, &row.storage].into_iter().flatten();
            let terms = row.planned.as_ref().map_or(0, BTreeMap::len)
                + row.deals.as_ref().map_or(0, BTreeMap::len);
            200 + words + texts.map(String::len).sum::<usize>() + 60 * terms
        };
        self.rows.iter().map(|part| bytes_of(&part.row)).sum()
    }
}

/// Collects the rows of the group that is open.
#[derive(Default)]
pub(super) struct Groups {
    open: Option<Group>,
}

impl Groups {
    /// Takes a row, and gives back the group that ends before it. A row without a name that goes on
    /// with no product is refused here.
    pub(super) fn take(&mut self, read: &mut Read) -> Option<Group> {
        let goes_on = self.open.as_ref().is_some_and(|open| {
            open.handle.is_some() && open.handle == read.row.handle && open.rows.len() < ROWS_MAX
        });
        if !goes_on && read.row.names.is_empty() {
            let note = Note::new(read.row.line, "name", "the line has no name");
            read.refused.get_or_insert(note);
        }
        let is_first = !goes_on;
        let is_about = read.row.is_variant() || (is_first && !read.row.names.is_empty());
        let part = Part { row: read.row.clone(), is_variant: is_about && read.refused.is_none() };
        match &mut self.open {
            Some(open) if goes_on => {
                open.rows.push(part);
                None
            }
            open => {
                let handle = read.row.handle.clone();
                let is_later = read.is_later;
                open.replace(Group { handle, is_later, rows: vec![part] })
            }
        }
    }

    /// The last group.
    pub(super) fn finish(&mut self) -> Option<Group> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use kirana_core::catalogue::product::Language;

    use super::*;

    fn read(line: u64, handle: &str, name: &str, sku: &str) -> Read {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let names = some(name).map(|name| (Language::ENGLISH, name)).into_iter().collect();
        let row = Row { line, handle: some(handle), sku: some(sku), names, ..Row::default() };
        Read { row, ..Read::default() }
    }

    #[test]
    fn rows_with_one_handle_are_one_product_and_rows_without_are_one_each() {
        let mut groups = Groups::default();
        let mut closed = Vec::new();
        for mut row in [
            read(2, "tea", "Tea", "T1"),
            read(3, "tea", "", "T2"),
            read(4, "tea", "", ""),
            read(5, "", "Salt", ""),
            read(6, "", "Sugar", ""),
        ] {
            closed.extend(groups.take(&mut row));
            assert_eq!(row.refused, None);
        }
        closed.extend(groups.finish());
        let sizes: Vec<_> =
            closed.iter().map(|group| (group.rows.len(), group.variants().count())).collect();
        assert_eq!(sizes, [(3, 2), (1, 1), (1, 1)], "a row of pictures is no variant");
    }

    #[test]
    fn a_row_that_goes_on_with_nothing_is_refused() {
        let mut groups = Groups::default();
        let mut row = read(2, "tea", "", "T1");
        groups.take(&mut row);
        assert_eq!(row.refused.map(|note| note.code).as_deref(), Some("name"));
    }

    #[test]
    fn a_first_row_that_is_refused_still_names_the_product() {
        let mut groups = Groups::default();
        let mut first = read(2, "tea", "Tea", "T1");
        first.refused = Some(Note::new(2, "price", "no price"));
        groups.take(&mut first);
        let mut second = read(3, "tea", "", "T2");
        assert_eq!(groups.take(&mut second), None);
        let group = groups.finish().unwrap();
        assert_eq!((second.refused, group.variants().count()), (None, 1));
    }
}
