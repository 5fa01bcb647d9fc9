//! `khata`: what is taken on credit, shown with no network, countersigned, or said to be wrong.

use kirana_core::{id::KhataId, time::UnixMs};
use serde::Serialize;

use super::{Desk, Failure, args::Khata, meant, now};
use crate::{
    app::{
        Household, HouseholdError,
        khata::{EntryStatus, KhataStatus},
    },
    clock,
};

#[derive(Serialize)]
struct Khatas {
    khatas: Vec<KhataStatus>,
}

#[derive(Serialize)]
struct Said {
    id: KhataId,
    said: &'static str,
}

pub(super) fn khata(desk: &Desk, command: Option<Khata>) -> Result<(), Failure> {
    let household = desk.household()?;
    match command.unwrap_or(Khata::Show { khata: None }) {
        Khata::Show { khata } => show(desk, &household, khata.as_deref()),
        Khata::Countersign { khata } => {
            let (id, at, mut rng) = (one(&household, khata.as_deref())?, now(), clock::rng());
            household.countersign(id, at, &mut rng)?;
            let says =
                "Countersigned, and saved on this device; the shop gets it with `kirana sync`.";
            desk.say(&Said { id, said: "countersign" }, || says.to_owned());
            Ok(())
        }
        Khata::Dispute { words, khata, entry } => {
            let (id, at, mut rng) = (one(&household, khata.as_deref())?, now(), clock::rng());
            household.dispute(id, (entry, &words), at, &mut rng)?;
            let says = "Saved on this device; the shop hears of it with `kirana sync`.";
            desk.say(&Said { id, said: "dispute" }, || says.to_owned());
            Ok(())
        }
    }
}

fn show(desk: &Desk, household: &Household, named: Option<&str>) -> Result<(), Failure> {
    let mut khatas = household.khatas()?;
    if let Some(named) = named {
        let id = one(household, Some(named))?;
        khatas.retain(|khata| khata.id == id);
    }
    let (shown, at) = (Khatas { khatas }, now());
    desk.say(&shown, || {
        let says: Vec<String> = shown.khatas.iter().map(|khata| told(khata, at)).collect();
        match says.is_empty() {
            true => "No shop keeps a khata for this household.".to_owned(),
            false => says.join("\n"),
        }
    });
    Ok(())
}

/// The book that somebody means: by its id, or the one of a shop.
fn one(household: &Household, named: Option<&str>) -> Result<KhataId, Failure> {
    let khatas = household.khatas()?;
    let Some(named) = named else {
        return match &khatas[..] {
            [only] => Ok(only.id),
            [] => Err(HouseholdError::UnknownKhata.into()),
            _ => Err(Failure::Usage("there are several khatas: name one".to_owned())),
        };
    };
    if let Some(khata) = khatas.iter().find(|khata| khata.id.to_string() == named) {
        return Ok(khata.id);
    }
    let shop = meant::shop(household, named)?;
    let mut of_shop = khatas.iter().filter(|khata| khata.shop == shop);
    let open = of_shop.clone().find(|khata| khata.open);
    let found = open.or_else(|| of_shop.next());
    found.map(|khata| khata.id).ok_or_else(|| HouseholdError::UnknownKhata.into())
}

fn told(khata: &KhataStatus, now: UnixMs) -> String {
    let owed = match khata.balance.minor {
        0.. => format!("{} owed", khata.balance),
        ..0 => format!("{} (the shop owes)", khata.balance),
    };
    let mut says = vec![format!(
        "{}: {owed}, up to {} ({}), heard from the shop {} ago",
        plain(&khata.shop_name),
        khata.limit,
        khata.id,
        ago(now.since(khata.heard_at))
    )];
    says.extend(khata.entries.iter().map(line));
    let notes = [
        (!khata.open).then(|| "It is closed.".to_owned()),
        khata.countersigned.map(|signed| {
            let sum = signed.balance.map(|sum| format!(" at {sum}")).unwrap_or_default();
            format!("Countersigned{sum}, {}.", signed.at)
        }),
        khata.disputed_at.map(|at| format!("You said that it is not right; the shop knows, {at}.")),
        khata.waiting.map(|what| format!("On its way to the shop: {what}.")),
        khata
            .refused
            .as_ref()
            .filter(|_| khata.waiting.is_none())
            .map(|why| format!("The shop refused what you said: {why}.")),
        khata.incomplete.then(|| "Not all of it is here: run `kirana sync`.".to_owned()),
        khata.contradicted.then(|| "The shop contradicts itself: ask there.".to_owned()),
    ];
    says.extend(notes.into_iter().flatten().map(|note| format!("  {note}")));
    says.join("\n")
}

fn line(entry: &EntryStatus) -> String {
    let amount = entry.amount.map(|sum| format!(" {sum}")).unwrap_or_default();
    let words = entry.words.as_deref().map(|words| format!(": {}", plain(words)));
    let order = entry.order.map(|order| format!(" (order {order})")).unwrap_or_default();
    let shown = &entry.shown;
    format!(
        "  {}. {} {}{amount}{}{order} → {}",
        shown.seq,
        shown.at,
        shown.kind,
        words.unwrap_or_default(),
        shown.balance
    )
}

fn ago(ms: u64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0..60 => format!("{minutes} minutes"),
        60..2_880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

/// What a shop wrote, without what could move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
