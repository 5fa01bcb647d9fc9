//! The fonts that a document is set in: one family that is part of the program, and more where
//! somebody has a script that it lacks.
//!
//! **Invariant:** a character is printed by the first font that has it; one that none has is named.

use std::sync::Arc;

use krilla::text::Font;

/// How heavy letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// For most text.
    Regular,
    /// For what should be seen first.
    Bold,
}

/// Fonts, the first that has a character before others; cheap to clone.
#[derive(Clone)]
pub struct Fonts {
    pub(crate) regular: Vec<Loaded>,
    pub(crate) bold: Vec<Loaded>,
}

#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) font: Font,
}

/// A file that is no font.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no TrueType or OpenType font")]
pub struct NotAFont;

impl Fonts {
    /// Noto Sans: Latin, Greek, Cyrillic and Devanagari.
    pub fn built_in() -> Self {
        let load = |bytes: &[u8]| loaded(bytes.to_vec()).expect("the built-in fonts are fonts");
        Self { regular: vec![load(SANS_REGULAR)], bold: vec![load(SANS_BOLD)] }
    }

    /// Adds a font for what those before it do not have, in both weights.
    ///
    /// # Errors
    /// [`NotAFont`] when the bytes are none.
    pub fn and(mut self, bytes: Vec<u8>) -> Result<Self, NotAFont> {
        let font = loaded(bytes).ok_or(NotAFont)?;
        self.regular.push(font.clone());
        self.bold.push(font);
        Ok(self)
    }
}

fn loaded(bytes: Vec<u8>) -> Option<Loaded> {
    rustybuzz::Face::from_slice(&bytes, 0)?;
    let bytes = Arc::new(bytes);
    let font = Font::new(bytes.clone().into(), 0)?;
    Some(Loaded { bytes, font })
}

const SANS_REGULAR: &[u8] = include_bytes!("../fonts/NotoSans-Regular.ttf");
const SANS_BOLD: &[u8] = include_bytes!("../fonts/NotoSans-Bold.ttf");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_font_are_refused() {
        assert!(Fonts::built_in().and(b"%PDF-1.7".to_vec()).is_err());
        assert!(Fonts::built_in().and(SANS_REGULAR.to_vec()).is_ok());
    }
}
