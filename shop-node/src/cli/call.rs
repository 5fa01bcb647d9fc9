//! `call`: an order for somebody without a device, who phones or stands at the counter.

use kirana_core::{
    geohash::Place,
    order::{personal::Personal, placed::Substitution},
    terms::{AHEAD_DAYS_MAX, Way},
};
use serde_json::json;

use super::{Data, Done, Failure, counter::wanted};
use crate::{
    app::{
        access::By,
        callers::{Call, Caller, NotTaken},
    },
    clock,
    home::Home,
    http::orders::shown,
};

/// Takes an order for somebody without a device; without anything to order, finds people again.
#[derive(clap::Args)]
pub struct TakeCall {
    #[command(flatten)]
    data: Data,
    /// What, and how much: `milk=2`, `rice=1.5kg`; as for `sell`.
    items: Vec<String>,
    /// Parts of the name, phone number or address of somebody who ordered before.
    #[arg(long, value_name = "WORDS")]
    who: Option<String>,
    /// Whose order it is.
    #[arg(long, default_value = "")]
    name: String,
    /// Where to call.
    #[arg(long, default_value = "")]
    phone: String,
    /// Where to bring it.
    #[arg(long, default_value = "")]
    address: String,
    /// Where that is on the map, `LATITUDE,LONGITUDE`.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    place: Option<Place>,
    /// What else to know.
    #[arg(long, default_value = "")]
    note: String,
    /// It is collected, rather than brought.
    #[arg(long)]
    pickup: bool,
    /// In which span of time, as `terms` lists them: `"Sa 2026-11-28 10:00"`.
    #[arg(long, value_name = "WHEN")]
    slot: Option<String>,
    /// Take a part of a line if there is not enough of it.
    #[arg(long)]
    partial: bool,
    /// How old the person says to be, in years.
    #[arg(long, value_name = "YEARS")]
    of_age: Option<u8>,
}

impl TakeCall {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let known = self.who.as_deref().map(|who| shop.callers(who)).transpose()?;
        if self.items.is_empty() {
            return Ok(listed(&known.unwrap_or(shop.callers("")?)));
        }
        let caller = match known.as_deref() {
            None => None,
            Some([one]) => Some(one.clone()),
            Some([]) => return Err(Failure::usage("nobody like that ordered before")),
            Some(several) => return Ok(listed(several)),
        };
        let line = |text: &String| {
            let (what, amount) = text
                .rsplit_once('=')
                .ok_or_else(|| Failure::usage(format!("«{text}» is not WHAT=AMOUNT")))?;
            let (variant, _, amount) = wanted(&shop, what, amount)?;
            Ok((variant, amount))
        };
        let lines = self.items.iter().map(line).collect::<Result<_, Failure>>()?;
        let (way, now) = (if self.pickup { Way::Pickup } else { Way::Delivery }, clock::now());
        let terms = shop.terms()?.map(|said| said.terms).unwrap_or_default();
        let offered = terms.slots(way, now, AHEAD_DAYS_MAX).into_iter().map(|open| open.slot);
        let slot = self.slot.as_deref().map(|when| {
            let mut meant = offered.filter(|slot| terms.written(*slot).contains(when));
            match (meant.next(), meant.next()) {
                (Some(slot), None) => Ok(slot),
                _ => Err(Failure::usage(format!("«{when}» is not one of the times: see `terms`"))),
            }
        });
        let before = caller.as_ref().map(|caller| caller.person.clone()).unwrap_or_default();
        let given = |new: String, old: String| if new.is_empty() { old } else { new };
        let person = Personal {
            name: given(self.name, before.name),
            phone: given(self.phone, before.phone),
            address: given(self.address, before.address),
            note: self.note,
            place: self.place.or(before.place),
        };
        let call = Call {
            caller: caller.map(|caller| caller.id),
            person,
            lines,
            way,
            slot: slot.transpose()?,
            partial_ok: self.partial,
            substitution: Substitution::LeaveOut,
            of_age: self.of_age,
        };
        let by = By { who: shop.keys().node.id(), till: None };
        let (id, view) = shop.take_call(None, call, by, now, &mut clock::rng())?;
        let (number, stage, sum) = (&view.number, view.order.stage.label(), view.totals.sum);
        let mut order = shown(&view);
        order["caller_id"] = json!(id);
        Ok(Done::new(format!("Order {number}, {sum}: {stage}."), order))
    }
}

fn listed(callers: &[Caller]) -> Done {
    let line = |caller: &Caller| {
        let person = &caller.person;
        let text = format!("{}  {}  {}", person.name, person.phone, person.address);
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()
    };
    let says: Vec<_> = callers.iter().map(line).collect();
    Done::new(says.join("\n"), json!({ "items": callers }))
}

impl From<NotTaken> for Failure {
    fn from(why: NotTaken) -> Self {
        Self { code: 1, name: "not-taken", says: why.to_string() }
    }
}
