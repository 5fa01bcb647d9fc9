//! `terms`: when the shop is open, where it brings goods and for how much, and in which spans of time.

use std::path::PathBuf;

use kirana_core::terms::{Terms, Way};
use serde_json::json;

use super::{Data, Done, Failure};
use crate::{
    app::{Shop, terms::NotSet},
    clock,
    home::Home,
};

/// How the file looks, for whoever writes the first one.
const EXAMPLE: &str = r#"The file is JSON; what is left out is as if nothing was said of it:
  {
    "zone": "Asia/Kolkata",
    "opens": "Mo-Sa 08:00-21:00",
    "closed_on": ["2026-12-25"],
    "pickup": true,
    "delivery": {
      "radius_m": 2000,
      "minimum": {"minor": 10000, "currency": "INR"},
      "fee": {"minor": 2000, "currency": "INR"},
      "free_from": {"minor": 50000, "currency": "INR"},
      "tax_bp": 1800
    },
    "windows": [
      {"way": "delivery", "days": "Mo-Sa", "from_min": 600, "until_min": 720,
       "capacity": 8, "last_call_min": 60}
    ],
    "only_in_windows": false
  }
Minutes are counted from midnight; tax is in hundredths of a per cent."#;

/// The terms on which goods are handed over.
#[derive(clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct TermsOf {
    #[command(flatten)]
    data: Data,
    /// Sets them from a file; shows them if left out.
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
    /// For how many days the spans of time are shown.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(0..=31))]
    days: u16,
}

impl TermsOf {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        if let Some(file) = self.set {
            let unreadable =
                |why: String| Failure::usage(format!("{} cannot be used: {why}", file.display()));
            let text = std::fs::read_to_string(&file).map_err(|e| unreadable(e.to_string()))?;
            let terms: Terms =
                serde_json::from_str(&text).map_err(|e| unreadable(e.to_string()))?;
            shop.set_terms(terms, clock::now())?;
        }
        shown(&shop, self.days)
    }
}

fn shown(shop: &Shop, days: u16) -> Result<Done, Failure> {
    let now = clock::now();
    let Some(said) = shop.terms()? else {
        let says =
            "Nothing is said: everything is brought and collected, at any time, for nothing.";
        return Ok(Done::new(says, json!({ "terms": null, "slots": [] })));
    };
    let terms = &said.terms;
    let mut says = vec![format!("Set at {}.", said.at)];
    if let (Some(opens), Some(open)) = (&terms.opens, terms.is_open(now)) {
        says.push(format!("Open {opens}; {} now.", if open { "open" } else { "closed" }));
    }
    let mut slots = shop.slots(Way::Delivery, now, days)?;
    slots.extend(shop.slots(Way::Pickup, now, days)?);
    let lines = slots.iter().map(|slot| {
        let way = if slot.offered.way == Way::Pickup { "pickup" } else { "delivery" };
        format!("{}  {way}, room for {}", terms.written(slot.offered.slot), slot.left)
    });
    says.extend(lines);
    let json = json!({ "terms": terms, "set_at": said.at, "slots": slots });
    Ok(Done::new(says.join("\n"), json))
}

impl From<NotSet> for Failure {
    fn from(why: NotSet) -> Self {
        Self { code: 1, name: "terms-not-set", says: why.to_string() }
    }
}
