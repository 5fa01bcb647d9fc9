//! Prints on paper: labels with barcodes, invoices, credit notes and receipts, in English and Hindi.
//!
//! It gets values and gives bytes: no clock, no chance, no files, so the same input gives the same
//! document on every machine. **Invariant:** nothing is printed as a box or left out unsaid: what no
//! font can print is named with the result, and what does not fit is an error.
//!
//! ```
//! use kirana_paper::{fonts::Fonts, labels::{Code, Label, print}, sheet::Layout};
//! let milk = Label {
//!     name: "दूध Milk".to_owned(),
//!     about: None,
//!     price: "₹27.00".to_owned(),
//!     per: None,
//!     offer: Vec::new(),
//!     notes: vec!["₹54.00 / l".to_owned()],
//!     code: Some(Code::Gtin("8901262010016".parse().expect("its check digit is right"))),
//! };
//! let printed = print(&[milk], &Layout::a4_3x8(), 0, &Fonts::built_in(), "en")?;
//! assert!(printed.pdf.starts_with(b"%PDF-") && printed.left_out.is_empty());
//! # Ok::<(), kirana_paper::labels::NotPrinted>(())
//! ```

pub mod account;
pub mod amounts;
pub mod barcode;
pub mod fonts;
pub mod invoice;
pub mod labels;
pub mod length;
pub mod page;
pub mod setting;
pub mod sheet;
pub mod table;
