//! Barcodes as modules: what is black, what is white, and how narrow they may be.
//!
//! Follows the GS1 General Specifications for EAN-13 and EAN-8 (X-dimension 0.264 to 0.66 mm, quiet
//! zones of 11 and 7 modules), for ITF-14 (ISO/IEC 16390, wide to narrow as 3 to 1, bearer bars above and
//! below) and ISO/IEC 15417 for Code 128 (10 modules on either side of both).
//!
//! **Invariant:** a [`Symbol`] holds whole modules with both quiet zones, and what it says in letters.

use barcoders::sym::{code128::Code128, ean8::EAN8, ean13::EAN13, tf::TF};
use kirana_core::gtin::Gtin;

use crate::length::Length;

/// A barcode before it has a size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    kind: Kind,
    modules: Vec<bool>,
    says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ean13,
    Ean8,
    Itf14,
    Code128,
}

/// What cannot be a barcode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotABarcode {
    /// Code 128 has the printable characters of ASCII only.
    #[error("{0:?} holds letters that a barcode does not have")]
    Letters(String),
    /// No label is wide enough for so many.
    #[error("{0:?} has more than {CODE_CHARS_MAX} characters, too many for a barcode")]
    TooLong(String),
}

impl Symbol {
    /// The barcode of an article: EAN-8 for a number of 8 digits, EAN-13 for up to 13 (a UPC-A is one
    /// that begins with a zero), and ITF-14 for a case's 14.
    pub fn of_gtin(gtin: Gtin) -> Self {
        let number = gtin.to_number();
        let (digits, kind) = match number {
            0..100_000_000 => (format!("{number:08}"), Kind::Ean8),
            100_000_000..10_000_000_000_000 => (format!("{number:013}"), Kind::Ean13),
            _ => (format!("{number:014}"), Kind::Itf14),
        };
        let bits = match kind {
            Kind::Ean8 => EAN8::new(&digits[..7]).expect("seven digits").encode(),
            Kind::Ean13 => EAN13::new(&digits[..12]).expect("twelve digits").encode(),
            Kind::Itf14 => itf(&digits),
            Kind::Code128 => code128(&digits),
        };
        Self::with_quiet_zones(kind, &bits, digits)
    }

    /// A number of the shop's own, as Code 128.
    ///
    /// # Errors
    /// [`NotABarcode`] for other letters than ASCII's, and for more than fit any label.
    pub fn of_text(text: &str) -> Result<Self, NotABarcode> {
        let is_letter = |b: u8| (b' '..=b'~').contains(&b);
        if text.is_empty() || !text.bytes().all(is_letter) {
            return Err(NotABarcode::Letters(text.to_owned()));
        }
        if text.len() > CODE_CHARS_MAX {
            return Err(NotABarcode::TooLong(text.to_owned()));
        }
        Ok(Self::with_quiet_zones(Kind::Code128, &code128(text), text.to_owned()))
    }

    fn with_quiet_zones(kind: Kind, bits: &[u8], says: String) -> Self {
        let (left, right) = match kind {
            Kind::Ean13 => (11, 7),
            Kind::Ean8 => (7, 7),
            // One more than the least: a scanner that rounds must still see them.
            Kind::Itf14 => (11, 11),
            Kind::Code128 => (10, 10),
        };
        let quiet = |n| std::iter::repeat_n(false, n);
        let bars = bits.iter().map(|bit| *bit == 1);
        let modules = quiet(left).chain(bars).chain(quiet(right)).collect();
        Self { kind, modules, says }
    }

    /// What people read below it.
    pub fn says(&self) -> &str {
        &self.says
    }

    /// How many modules it is wide, its quiet zones among them.
    pub fn modules(&self) -> i32 {
        i32::try_from(self.modules.len()).unwrap_or(i32::MAX)
    }

    /// The widest module that fits, as far as any is allowed; `None` where even the narrowest does
    /// not.
    pub fn module_within(&self, width: Length) -> Option<Length> {
        let (least, most) = match self.kind {
            Kind::Ean13 | Kind::Ean8 => (EAN_MODULE_MIN, EAN_MODULE_MAX),
            Kind::Itf14 | Kind::Code128 => (CODE_MODULE_MIN, CODE_MODULE_MAX),
        };
        let fitting = width / self.modules();
        (fitting >= least).then(|| fitting.min(most))
    }

    /// How high the bars of an EAN are at this module, by the specification; shelf labels may have
    /// less, and the others have no height of their own.
    pub fn height(&self, module: Length) -> Length {
        let in_hundredths = match self.kind {
            Kind::Ean13 | Kind::Itf14 | Kind::Code128 => 6_924,
            Kind::Ean8 => 5_524,
        };
        module.percent(in_hundredths)
    }

    /// How thick the bars along its upper and its lower edge are, in modules: a beam that leaves an ITF-14
    /// through either reads nothing, rather than a shorter number.
    pub fn bearers(&self) -> i32 {
        if self.kind == Kind::Itf14 { BEARER_MODULES } else { 0 }
    }

    /// The bars, each as the module where it begins and how many it is wide.
    pub fn bars(&self) -> Vec<(i32, i32)> {
        let mut bars: Vec<(i32, i32)> = Vec::new();
        for (at, _) in (0..).zip(&self.modules).filter(|(_, is_black)| **is_black) {
            match bars.last_mut() {
                Some((from, n)) if *from + *n == at => *n += 1,
                _ => bars.push((at, 1)),
            }
        }
        bars
    }
}

/// Digits in pairs, the first of each as bars and the second as the spaces between them.
fn itf(digits: &str) -> Vec<u8> {
    let mut bits = TF::interleaved(digits).expect("digits").encode();
    // The library ends with a bar of two modules, where wide bars have three everywhere else.
    bits.truncate(bits.len() - ITF_STOP_SHORT);
    bits.extend([1, 1, 1, 0, 1]);
    bits
}

/// Digits two by two where there are enough of them, all else letter by letter.
fn code128(text: &str) -> Vec<u8> {
    let is_pairs = text.len() >= 4 && text.len().is_multiple_of(2);
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    let set = if is_pairs && is_digits { SET_C } else { SET_B };
    Code128::new(format!("{set}{text}")).expect("the set has these letters").encode()
}

const ITF_STOP_SHORT: usize = 4;
/// The least for what is printed without a plate.
const BEARER_MODULES: i32 = 2;
const SET_B: char = '\u{181}';
const SET_C: char = '\u{106}';

/// The longest text that becomes a barcode, in characters: a product's id has 36.
pub const CODE_CHARS_MAX: usize = 40;
const EAN_MODULE_MIN: Length = Length::um(264);
const EAN_MODULE_MAX: Length = Length::um(660);
const CODE_MODULE_MIN: Length = Length::um(250);
const CODE_MODULE_MAX: Length = Length::um(495);

#[cfg(test)]
mod tests {
    use super::*;

    fn gtin(text: &str) -> Symbol {
        Symbol::of_gtin(text.parse().expect("a number"))
    }

    #[test]
    fn an_ean_13_has_95_modules_between_its_quiet_zones() {
        let symbol = gtin("8901262010016");
        assert_eq!((symbol.modules(), symbol.says()), (113, "8901262010016"));
        assert_eq!(symbol.bars().first(), Some(&(11, 1)), "the left guard");
        assert_eq!(symbol.bars().last(), Some(&(105, 1)), "the right guard");
        assert_eq!(symbol.bars().len(), 30);
    }

    #[test]
    fn a_upc_is_an_ean_13_with_a_zero_before_it_and_an_ean_8_stays_short() {
        assert_eq!(gtin("036000291452").says(), "0036000291452");
        assert_eq!((gtin("96385074").modules(), gtin("96385074").says()), (81, "96385074"));
    }

    #[test]
    fn a_cases_number_is_an_itf_14_whose_wide_bars_are_all_three_modules_wide() {
        let symbol = gtin("10614141000415");
        // Start, seven pairs of ten elements of which four are wide, stop, and two quiet zones.
        assert_eq!((symbol.modules(), symbol.says()), (4 + 7 * 18 + 5 + 22, "10614141000415"));
        let mut widths: Vec<i32> = symbol.bars().iter().map(|(_, n)| *n).collect();
        assert_eq!(widths.len(), 2 + 7 * 5 + 2);
        widths.sort_unstable();
        widths.dedup();
        assert_eq!((widths, symbol.bearers()), (vec![1, 3], 2));
        assert_eq!(gtin("8901262010016").bearers(), 0);
    }

    #[test]
    fn no_module_is_narrower_or_wider_than_the_specification_allows() {
        let symbol = gtin("8901262010016");
        assert_eq!(symbol.module_within(Length::um(29_831)), None);
        assert_eq!(symbol.module_within(Length::um(29_832)), Some(Length::um(264)), "80%");
        assert_eq!(symbol.module_within(Length::mm(200)), Some(Length::um(660)), "200%");
        // 22.85 mm at 100%, by the specification.
        assert_eq!(symbol.height(Length::um(330)), Length::um(22_849));
    }

    #[test]
    fn what_no_barcode_can_say_is_refused() {
        let refused = |text: &str| Symbol::of_text(text).expect_err("no barcode");
        for text in ["", "चावल", "a\tb", "a\0", "É1"] {
            assert_eq!(refused(text), NotABarcode::Letters(text.to_owned()));
        }
        let long = "x".repeat(CODE_CHARS_MAX + 1);
        assert_eq!(refused(&long), NotABarcode::TooLong(long.clone()));
        assert!(Symbol::of_text(&long[1..]).is_ok());
    }
}
