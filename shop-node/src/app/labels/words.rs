//! What labels say beside names and amounts, in English and Hindi.

use kirana_core::{
    catalogue::{pricing::Deal, product::Language},
    day::Day,
};

/// The words of one language; whoever asks for another one gets English.
pub(super) struct Words {
    is_hindi: bool,
    pub(super) offer: &'static str,
    pub(super) usually: &'static str,
    pub(super) maximum: &'static str,
}

impl Words {
    pub(super) fn of(language: Language) -> Self {
        // The Legal Metrology rules want "MRP" in these letters.
        let maximum = "MRP";
        match language {
            Language::HINDI => Self {
                is_hindi: true, offer: "ऑफ़र", usually: "आम तौर पर", maximum
            },
            _ => Self { is_hindi: false, offer: "Offer", usually: "usually", maximum },
        }
    }

    /// Of a unit of [`kirana_core::catalogue::shown::UnitPrice`].
    pub(super) fn per(&self, unit: &str) -> String {
        match (self.is_hindi, unit) {
            (true, "kg") => "/ कि.ग्रा.".to_owned(),
            (true, "l") => "/ ली.".to_owned(),
            (_, unit) => format!("/ {unit}"),
        }
    }

    pub(super) fn deposit(&self, amount: &str) -> String {
        match self.is_hindi {
            true => format!("{amount} जमा सहित"),
            false => format!("incl. {amount} deposit"),
        }
    }

    pub(super) fn deal(&self, deal: Deal) -> String {
        match deal {
            Deal::Percent { bp } => {
                let (whole, part) = (bp / 100, bp % 100);
                let percent = match part {
                    0 => whole.to_string(),
                    part => format!("{whole}.{part:02}"),
                };
                if self.is_hindi {
                    format!("{percent}% छूट")
                } else {
                    format!("{percent}% off")
                }
            }
            Deal::XForY { take, pay } if self.is_hindi => format!("{pay} के दाम में {take}"),
            Deal::XForY { take, pay } => format!("{take} for {pay}"),
        }
    }

    /// The last day on which something holds.
    pub(super) fn until(&self, last: Day) -> String {
        let iso = last.to_string();
        let parts: Vec<&str> = iso.split('-').collect();
        let month = parts.get(1).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1) - 1;
        let (year, day) = (parts[0], parts.get(2).map_or("", |day| day.trim_start_matches('0')));
        match self.is_hindi {
            true => format!("{day} {} {year} तक", MONTHS_HINDI[month.min(11)]),
            false => format!("until {day} {} {year}", MONTHS[month.min(11)]),
        }
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MONTHS_HINDI: [&str; 12] = [
    "जनवरी",
    "फ़रवरी",
    "मार्च",
    "अप्रैल",
    "मई",
    "जून",
    "जुलाई",
    "अगस्त",
    "सितंबर",
    "अक्टूबर",
    "नवंबर",
    "दिसंबर",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deals_and_days_are_said_in_both_languages() {
        let (english, hindi) = (Words::of(Language::ENGLISH), Words::of(Language::HINDI));
        let day = "2026-11-05".parse().expect("a day");
        assert_eq!(english.until(day), "until 5 Nov 2026");
        assert_eq!(hindi.until(day), "5 नवंबर 2026 तक");
        assert_eq!(english.deal(Deal::XForY { take: 3, pay: 2 }), "3 for 2");
        assert_eq!(hindi.deal(Deal::XForY { take: 3, pay: 2 }), "2 के दाम में 3");
        assert_eq!(english.deal(Deal::Percent { bp: 1_250 }), "12.50% off");
        assert_eq!(hindi.deal(Deal::Percent { bp: 1_000 }), "10% छूट");
    }
}
