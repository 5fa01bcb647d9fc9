//! Shows requests as QR codes, and takes them from photos.

use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use kirana_picture::{FILE_BYTES_MAX, qr};

use super::Failure;

/// How a text is shown.
#[derive(Debug, Args)]
pub struct ShownAs {
    /// Also as a QR code on this terminal.
    #[arg(long)]
    qr: bool,
    /// Also as a QR code in a picture file: its name ends in `.png` or `.svg`.
    #[arg(long, value_name = "FILE")]
    qr_file: Option<PathBuf>,
}

impl ShownAs {
    /// Writes the picture that was asked for; gives what goes onto the terminal before the text.
    ///
    /// # Errors
    /// When the text is too long for pictures, or the file cannot be written.
    pub(super) fn pictures(&self, text: &str) -> Result<String, Failure> {
        if !self.qr && self.qr_file.is_none() {
            return Ok(String::new());
        }
        let codes = qr::Codes::of(text)?;
        if let Some(path) = &self.qr_file {
            let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
            let file = match ending.as_deref() {
                Some("png") => codes.png(),
                Some("svg") => codes.svg().into_bytes(),
                _ => {
                    let why = "--qr-file takes a name that ends in .png or .svg";
                    return Err(Failure::usage(why));
                }
            };
            std::fs::write(path, file).map_err(|error| unusable(path, error))?;
        }
        let colours = std::io::stdout().is_terminal();
        Ok(if self.qr { format!("{}\n", codes.terminal(colours)) } else { String::new() })
    }
}

/// Photos in the place of a text.
#[derive(Debug, Args)]
pub struct Photos {
    /// Instead of the text: a photo of its QR code (PNG, JPEG or WebP); one for each part.
    #[arg(long, value_name = "FILE")]
    from_picture: Vec<PathBuf>,
}

impl Photos {
    /// The text as it was typed, or else as the photos show it; nothing where neither was given.
    ///
    /// # Errors
    /// When both were given, or the photos show no text of kirana.
    pub(super) fn or(&self, typed: Option<String>) -> Result<Option<String>, Failure> {
        match (typed, self.from_picture.is_empty()) {
            (typed, true) => Ok(typed),
            (None, false) => {
                let files = self.from_picture.iter().map(|path| read(path));
                Ok(Some(qr::read(&files.collect::<Result<Vec<_>, _>>()?)?))
            }
            (Some(_), false) => Err(Failure::usage("give the text or --from-picture, not both")),
        }
    }
}

/// One byte more than a picture may have is enough to refuse it.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut file = Vec::new();
    let opened = std::fs::File::open(path).map_err(|error| unusable(path, error))?;
    let most = FILE_BYTES_MAX as u64 + 1;
    opened.take(most).read_to_end(&mut file).map_err(|error| unusable(path, error))?;
    Ok(file)
}

fn unusable(path: &Path, error: std::io::Error) -> Failure {
    Failure::of(format!("{} cannot be used: {error}", path.display()))
}

impl From<qr::TooLong> for Failure {
    fn from(why: qr::TooLong) -> Self {
        Self { code: 1, name: "too-long-for-a-picture", says: why.to_string() }
    }
}

impl From<qr::Unread> for Failure {
    fn from(why: qr::Unread) -> Self {
        Self { code: 1, name: "picture", says: why.to_string() }
    }
}
