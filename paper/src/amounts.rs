//! Money as people read it on paper: `₹1,05,250.00`, `€12.50`.

use kirana_core::money::{Currency, Money};

/// An amount with the sign of its currency, its digits grouped as is usual there.
///
/// ```
/// use kirana_core::money::{Currency, Money};
/// use kirana_paper::amounts::written;
/// assert_eq!(written(Money::new(10_525_000, Currency::INR)), "₹1,05,250.00");
/// ```
pub fn written(money: Money) -> String {
    let decimals = money.currency.decimals() as usize;
    let scale = 10_u64.pow(money.currency.decimals());
    let (whole, rest) = (money.minor.unsigned_abs() / scale, money.minor.unsigned_abs() % scale);
    let minus = if money.minor < 0 { "-" } else { "" };
    let (sign, digits) = (sign(money.currency), grouped(whole, money.currency));
    match decimals {
        0 => format!("{minus}{sign}{digits}"),
        _ => format!("{minus}{sign}{digits}.{rest:0decimals$}"),
    }
}

fn sign(currency: Currency) -> String {
    match currency.as_str() {
        "INR" => "₹".to_owned(),
        "EUR" => "€".to_owned(),
        "GBP" => "£".to_owned(),
        "USD" => "$".to_owned(),
        // Several countries write theirs alike, so the letters stand for all others.
        code => format!("{code} "),
    }
}

/// The last three digits together; before them by twos for rupees (lakh, crore), by threes elsewhere.
fn grouped(whole: u64, currency: Currency) -> String {
    let digits = whole.to_string();
    let (head, tail) = digits.split_at(digits.len().saturating_sub(3));
    let size = if currency == Currency::INR { 2 } else { 3 };
    let first = head.len() % size;
    let mut groups: Vec<&str> = Vec::new();
    if first > 0 {
        groups.push(&head[..first]);
    }
    groups
        .extend(head.as_bytes()[first..].chunks(size).filter_map(|g| std::str::from_utf8(g).ok()));
    groups.push(tail);
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_grouped_by_lakh_and_crore_and_others_by_thousands() {
        let told = |minor, code: &str| written(Money::new(minor, code.parse().expect("a code")));
        assert_eq!(told(0, "INR"), "₹0.00");
        assert_eq!(told(99_900, "INR"), "₹999.00");
        assert_eq!(told(12_345_678_905, "INR"), "₹12,34,56,789.05");
        assert_eq!(told(-100_000, "INR"), "-₹1,000.00");
        assert_eq!(told(123_456_789, "EUR"), "€1,234,567.89");
        assert_eq!(told(1_234_567, "JPY"), "JPY 1,234,567");
        assert_eq!(told(1_234_567, "KWD"), "KWD 1,234.567");
    }
}
