//! `slots`: when a shop is open, where it brings things, and which spans of time may be chosen.

use kirana_core::{
    id::ShopId,
    order::placed::Handover,
    terms::{Delivery, Offered, Published, Way},
    time::UnixMs,
};
use serde::Serialize;

use super::{Desk, Failure, meant, now};
use crate::app::Household;

#[derive(Serialize)]
struct Shown {
    shop: ShopId,
    terms: Option<kirana_core::terms::Terms>,
    set_at: Option<UnixMs>,
    open_now: Option<bool>,
    slots: Vec<Written>,
}

#[derive(Serialize)]
struct Written {
    /// By the clock on the shop's wall.
    when: String,
    #[serde(flatten)]
    offered: Offered,
}

pub(super) fn slots(desk: &Desk, shop: &str, pickup: bool, days: u16) -> Result<(), Failure> {
    let household = desk.household()?;
    let (shop, at) = (meant::shop(&household, shop)?, now());
    let way = if pickup { Way::Pickup } else { Way::Delivery };
    let published = household.terms(shop)?;
    let slots = published.as_ref().map(|said| written(said, way, at, days)).unwrap_or_default();
    let open_now = published.as_ref().and_then(|said| said.terms.is_open(at));
    let set_at = published.as_ref().map(|said| said.at);
    let mut says = told(published.as_ref(), open_now);
    says.extend(slots.iter().map(|slot| slot.when.clone()));
    let shown = Shown { shop, terms: published.map(|said| said.terms), set_at, open_now, slots };
    desk.say(&shown, || says.join("\n"));
    Ok(())
}

fn written(said: &Published, way: Way, at: UnixMs, days: u16) -> Vec<Written> {
    let slots = said.terms.slots(way, at, days).into_iter();
    slots.map(|offered| Written { when: said.terms.written(offered.slot), offered }).collect()
}

fn told(published: Option<&Published>, open_now: Option<bool>) -> Vec<String> {
    let Some(Published { at, terms, .. }) = published else {
        return vec!["The shop has not said when it is open or what bringing things costs.".into()];
    };
    let mut says = vec![format!("As the shop said at {at}:")];
    if let Some(opens) = &terms.opens {
        let now = if open_now == Some(true) { "open now" } else { "closed now" };
        says.push(format!("Open {opens} ({now})."));
    }
    if !terms.pickup {
        says.push("Nothing can be collected.".to_owned());
    }
    says.push(terms.delivery.as_ref().map_or("It brings nothing.".to_owned(), brings));
    says
}

fn brings(delivery: &Delivery) -> String {
    let mut says = "It brings things".to_owned();
    if let Some(radius) = delivery.radius_m {
        says.push_str(&format!(" up to {radius} m"));
    }
    if let Some(minimum) = delivery.minimum {
        says.push_str(&format!(", from {minimum} on"));
    }
    match (delivery.fee, delivery.free_from) {
        (Some(fee), Some(free)) => says.push_str(&format!(", for {fee}, free from {free} on")),
        (Some(fee), None) => says.push_str(&format!(", for {fee}")),
        (None, _) => says.push_str(", for nothing"),
    }
    says + "."
}

/// The hand-over in the span that somebody means by a part of it.
pub(super) fn chosen(
    household: &Household,
    shop: ShopId,
    handover: Handover,
    when: Option<&str>,
    at: UnixMs,
) -> Result<Handover, Failure> {
    let (way, _) = Way::of(handover);
    let Some(when) = when else { return Ok(handover) };
    let Some(published) = household.terms(shop)? else {
        return Err(Failure::Nothing("the shop offers no spans of time"));
    };
    let is_meant = |slot: &Written| {
        when.split_whitespace().all(|word| slot.when.split([' ', '-']).any(|part| part == word))
            || slot.when.contains(when)
    };
    let slots = written(&published, way, at, kirana_core::terms::AHEAD_DAYS_MAX);
    let mut meant = slots.into_iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(way.at(Some(one.offered.slot))),
        (None, _) => Err(Failure::NotForSale(format!(
            "the shop offers no time like «{when}»: `kirana slots` lists them"
        ))),
        (Some(one), Some(other)) => Err(Failure::NotForSale(format!(
            "«{when}» may mean {} or {}: say the day too",
            one.when, other.when
        ))),
    }
}
