//! The code by which a customer shows that goods are for them: both sides work it out from the order,
//! so that it needs no network.
//!
//! **Invariant:** it comes from the signed bytes of the first entry, which the customer and the shop
//! alone have; whoever only carries the goods learns it from the customer, or not at all.

use super::chain::Chain;
use crate::hash::Hash;

/// Six digits that belong to one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandoverCode(u32);

impl HandoverCode {
    /// The code of an order.
    pub fn of(chain: &Chain) -> Self {
        let digest = Hash::of_parts(&[b"kirana hand-over 1", chain.first().signed().bytes()]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self(u32::from_be_bytes([a, b, c, d]) % 1_000_000)
    }

    /// Whether somebody typed this code; blanks do not count.
    pub fn is(self, typed: &str) -> bool {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        digits == format!("{:06}", self.0)
    }

    /// Two digits by which a courier without a network notices most wrong codes, and that do not
    /// tell the code.
    pub fn hint(self) -> u8 {
        Self::hint_of(self.0)
    }

    /// The hint of what somebody typed; `None` for what is no code.
    pub fn hint_for(typed: &str) -> Option<u8> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let is_code = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| is_code).map(Self::hint_of)
    }

    fn hint_of(code: u32) -> u8 {
        Hash::of_parts(&[b"kirana hand-over hint 1", &code.to_be_bytes()]).as_bytes()[0] % 100
    }
}

impl std::fmt::Display for HandoverCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}
