//! Paying by UPI: the address that money goes to, and the link that a customer's own app opens.
//!
//! **Invariant:** a link names the order, so that a line of the bank's statement can be led back to
//! it. That money came, the shop alone says.
//!
//! The form is that of NPCI's "UPI Linking Specifications" 1.6: `upi://pay` with `pa`, `pn`, `tr`,
//! `tn`, `am` and `cu`.
//!
//! ```
//! use kirana_core::{money::{Currency, Money}, upi::Payee};
//! let shop = Payee { address: "corner@okbank".into(), name: "Corner Store".into() };
//! let link = shop.link(Money::new(9_250, Currency::INR), "0192f", "Order WD 5150-5").unwrap();
//! assert_eq!(
//!     link,
//!     "upi://pay?pa=corner@okbank&pn=Corner%20Store&tr=0192f&tn=Order%20WD%205150-5&am=92.50&cu=INR"
//! );
//! ```

use minicbor::{Decode, Encode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{
    id::OrderId,
    money::{Currency, Money},
};

/// The longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 255;
/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 99;
/// The longest reference, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 35;
/// The longest note, in characters.
pub const NOTE_CHARS_MAX: usize = 80;

/// What stands in a link as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'@');

/// To whom money goes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(map)]
#[serde(deny_unknown_fields)]
pub struct Payee {
    /// The virtual payment address: `name@bank`.
    #[n(0)]
    pub address: String,
    /// What the payer's app shows.
    #[n(1)]
    pub name: String,
}

impl Payee {
    /// Whether it can be paid.
    ///
    /// # Errors
    /// [`NotAPayee`].
    pub fn check(&self) -> Result<(), NotAPayee> {
        let (user, bank) = self.address.split_once('@').ok_or(NotAPayee::Address)?;
        let is_user = user.len() >= 2
            && user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        let is_bank = bank.len() >= 2 && bank.bytes().all(|b| b.is_ascii_alphanumeric());
        if self.address.len() > ADDRESS_BYTES_MAX || !is_user || !is_bank {
            return Err(NotAPayee::Address);
        }
        let chars = self.name.chars().count();
        let is_name = !self.name.trim().is_empty() && chars <= NAME_CHARS_MAX;
        if !is_name || self.name.chars().any(char::is_control) {
            return Err(NotAPayee::Name);
        }
        Ok(())
    }

    /// The link that asks for so much; `None` for what UPI does not carry: another currency than
    /// rupees, nothing, or a reference that is too long. A longer note is cut.
    pub fn link(&self, amount: Money, reference: &str, note: &str) -> Option<String> {
        let is_reference = reference.bytes().all(|b| b.is_ascii_alphanumeric());
        if amount.currency != Currency::INR
            || amount.minor <= 0
            || !is_reference
            || reference.len() > REFERENCE_BYTES_MAX
        {
            return None;
        }
        let note: String = note.chars().take(NOTE_CHARS_MAX).collect();
        let text = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let (pa, pn, tn) = (text(&self.address), text(&self.name), text(&note));
        let (rupees, paise) = (amount.minor / 100, amount.minor % 100);
        let sum = format!("{rupees}.{paise:02}");
        Some(format!("upi://pay?pa={pa}&pn={pn}&tr={reference}&tn={tn}&am={sum}&cu=INR"))
    }

    /// The link by which a customer pays what is due for an order; `None` where nothing is.
    pub fn link_for(&self, order: OrderId, number: &str, due: Money) -> Option<String> {
        let reference = order.to_string().replace('-', "");
        self.link(due, &reference, &format!("Order {number}"))
    }
}

/// Nobody who can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPayee {
    /// The address.
    #[error("a UPI address is like name@bank")]
    Address,
    /// The name.
    #[error("a payee has a name of at most {NAME_CHARS_MAX} characters")]
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(address: &str, name: &str) -> Payee {
        Payee { address: address.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_link_cannot_be_changed_by_what_stands_in_a_name() {
        let sly = shop("corner@okbank", "Corner&am=1&pa=thief@bank #?%");
        assert_eq!(sly.check(), Ok(()));
        let link = sly.link(Money::new(5, Currency::INR), "r1", "a=b&c").expect("it is paid");
        assert!(link.ends_with("&tr=r1&tn=a%3Db%26c&am=0.05&cu=INR"), "{link}");
        assert_eq!(link.matches('&').count(), 5);
    }

    #[test]
    fn what_upi_does_not_carry_has_no_link() {
        let corner = shop("corner@okbank", "Corner");
        let link = |minor, currency: &str, reference: &str| {
            corner.link(Money::new(minor, currency.parse().expect("one")), reference, "")
        };
        assert!(link(1, "INR", &"r".repeat(35)).is_some());
        assert_eq!(link(1, "INR", &"r".repeat(36)), None);
        assert_eq!(link(1, "INR", "r 1"), None);
        assert_eq!(link(0, "INR", "r"), None);
        assert_eq!(link(100, "EUR", "r"), None);
    }

    #[test]
    fn a_payee_has_an_address_and_a_name() {
        for address in ["", "corner", "c@okbank", "corner@", "cor ner@bank", "a@b@c", "ab@b-k"] {
            assert_eq!(shop(address, "Corner").check(), Err(NotAPayee::Address), "{address}");
        }
        for name in ["", "  ", "a\nb", &"x".repeat(100)] {
            assert_eq!(shop("corner@okbank", name).check(), Err(NotAPayee::Name), "{name}");
        }
    }
}
