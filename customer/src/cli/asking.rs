//! `order change`, `approve`, `complain`: what a household asks about an order that was placed.

use kirana_core::{
    household::CartLine,
    id::OrderId,
    order::{
        Order,
        axes::{Complaint, Group, Line, LineState},
        facts::Grievance,
        placed::{Alteration, Handover, NewAmount},
        wish::ComplaintStep,
    },
    quantity::Quantity,
};
use kirana_picture::{FILE_BYTES_MAX, reencode_for_mail};
use serde::Serialize;

use super::{
    Desk, Failure,
    args::{Approve, Change, Complain},
    carts, meant, now, orders, slots,
};
use crate::{
    app::{Household, asking::Complaining, status::OrderStatus},
    clock,
};

#[derive(Serialize)]
pub(super) struct Asked {
    pub(super) id: OrderId,
    pub(super) asked: &'static str,
}

impl Asked {
    pub(super) fn told(self, desk: &Desk) {
        let says = "The wish is saved on this device; the shop will answer it.";
        desk.say(&self, || says.to_owned());
    }
}

pub(super) fn change(desk: &Desk, change: &Change) -> Result<(), Failure> {
    let household = desk.household()?;
    let (id, at, mut rng) = (change.id, now(), clock::rng());
    let chain = household.order_chain(id)?;
    let alteration = alteration(&household, chain.order(), change)?;
    household.change(id, (alteration, None), at, &mut rng)?;
    Asked { id, asked: "change" }.told(desk);
    Ok(())
}

fn alteration(
    household: &Household,
    order: &Order,
    change: &Change,
) -> Result<Alteration, Failure> {
    let mut wanted = Alteration::default();
    for text in &change.set {
        let wrong = || Failure::Usage(format!("«{text}» is not LINE=AMOUNT"));
        let (number, amount) = text.split_once('=').ok_or_else(wrong)?;
        let (line, of) = numbered(order, number.parse().map_err(|_| wrong())?)?;
        let amount = Quantity::read(amount, of.wanted.quantity.unit());
        let amount = amount.map_err(|why| Failure::Usage(format!("«{text}»: {why}")))?;
        wanted.amounts.push(NewAmount { line, amount: amount.amount() });
    }
    for number in &change.remove {
        let (line, _) = numbered(order, *number)?;
        wanted.amounts.push(NewAmount { line, amount: 0 });
    }
    for text in &change.add {
        let wrong = || Failure::Usage(format!("«{text}» is not VARIANT=AMOUNT"));
        let (variant, amount) = text.rsplit_once('=').ok_or_else(wrong)?;
        let variant = meant::variant(household, order.shop, variant)?;
        let (item, quantity) = carts::wanted(household, order.shop, variant, amount)?;
        wanted.added.push(orders::line(household, &CartLine { item, quantity, seen: None })?);
    }
    let way = if change.pickup { Handover::Pickup { slot: None } } else { order.placed.handover };
    if change.pickup || change.slot.is_some() {
        let slot = change.slot.as_deref();
        wanted.handover = Some(slots::chosen(household, order.shop, way, slot, now())?);
    }
    wanted.fee = household.fee_when_changed(order, &wanted, now())?;
    Ok(wanted)
}

/// A line as people count them, from 1.
fn numbered(order: &Order, number: u16) -> Result<(u16, &Line), Failure> {
    let index = number.checked_sub(1);
    let line = index.and_then(|index| Some((index, order.lines.get(usize::from(index))?)));
    let count = order.lines.len();
    line.ok_or_else(|| Failure::Usage(format!("there is no line {number}: there are {count}")))
}

pub(super) fn approve(desk: &Desk, approve: &Approve) -> Result<(), Failure> {
    let household = desk.household()?;
    let (id, at, mut rng) = (approve.id, now(), clock::rng());
    let chain = household.order_chain(id)?;
    let asked = asked(chain.order()).ok_or(crate::app::HouseholdError::NobodyAsks)?;
    let mut taken: Vec<u16> = Vec::new();
    for number in &approve.lines {
        taken.push(numbered(chain.order(), *number)?.0);
    }
    if !approve.none && approve.lines.is_empty() {
        taken = asked.question.iter().flat_map(|q| &q.proposals).map(|p| p.line).collect();
    }
    household.approve(id, taken, at, &mut rng)?;
    Asked { id, asked: "approve" }.told(desk);
    Ok(())
}

/// The group of lines that waits for an answer.
fn asked(order: &Order) -> Option<&Group> {
    order.groups.iter().find(|group| group.stage.label() == "awaiting_answer")
}

pub(super) fn complain(desk: &Desk, complain: &Complain) -> Result<(), Failure> {
    let household = desk.household()?;
    let (id, at, mut rng) = (complain.id, now(), clock::rng());
    let chain = household.order_chain(id)?;
    let step = match (complain.accept, complain.escalate, chain.order().complaint) {
        (true, _, _) => ComplaintStep::Accept,
        (_, true, _) => ComplaintStep::Escalate,
        (
            _,
            _,
            Complaint::Open { .. } | Complaint::Answered { .. } | Complaint::Escalated { .. },
        ) => ComplaintStep::More,
        _ => ComplaintStep::Open,
    };
    let about = Grievance::from_label(&complain.about).ok_or_else(|| {
        let words = Grievance::ALL.iter().map(|known| known.label());
        let words = words.collect::<Vec<_>>().join(", ");
        Failure::Usage(format!("«{}» is none of {words}", complain.about))
    })?;
    let lines = complain.lines.iter().map(|number| Ok(numbered(chain.order(), *number)?.0));
    let lines = lines.collect::<Result<_, Failure>>()?;
    let says = complain.says.trim().to_owned();
    let photo = complain.photo.as_deref().map(photo).transpose()?;
    let complaining = Complaining { step, about, lines, says, photo };
    household.complain(id, (complaining, None), at, &mut rng)?;
    Asked { id, asked: "complain" }.told(desk);
    Ok(())
}

/// A photo, small enough to be sent along.
fn photo(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let unread = |source| Failure::File { path: path.display().to_string(), source };
    // A file that is too long is not read to its end.
    let file = std::fs::File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    let most = FILE_BYTES_MAX as u64 + 1;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, most), &mut bytes).map_err(unread)?;
    let made = reencode_for_mail(&bytes);
    Ok(made.map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))?.jpeg)
}

/// What a person wants to read of one order: its lines, what is asked, what was written.
pub(super) fn told(household: &Household, status: &OrderStatus) -> Result<Vec<String>, Failure> {
    let Some(order) = &status.order else { return Ok(Vec::new()) };
    let mut says = Vec::new();
    for (index, line) in order.lines.iter().enumerate() {
        says.push(format!("  {}. {}", index + 1, of_line(household, order, line)?));
    }
    if let Some(question) = asked(order).and_then(|group| group.question.as_ref()) {
        for proposal in &question.proposals {
            let name = carts::name(household, order.shop, proposal.substitute.variant)?;
            let number = proposal.line + 1;
            let amount = proposal.substitute.quantity;
            let costs = proposal.price.of(amount.amount());
            let costs = costs.map(|sum| format!(" for {sum}")).unwrap_or_default();
            says.push(format!("  Instead of {number}: {amount} of {name}{costs}?"));
        }
        let id = status.id;
        says.push(format!("  Answer by `kirana order approve {id}`, or with `--none`."));
    }
    match order.complaint {
        Complaint::None => {}
        Complaint::Answered { offer: Some(offer), .. } => {
            let amount = offer.amount.map(|sum| format!(" ({sum})")).unwrap_or_default();
            says.push(format!("  The shop offers: {}{amount}.", offer.remedy));
        }
        complaint => says.push(format!("  Complaint: {}.", complaint.label())),
    }
    for message in &status.messages {
        let gone = if message.photo.is_some() { "" } else { "(the words are gone)" };
        let words = message.says.as_deref().unwrap_or(gone);
        let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let photo = if message.photo.is_some() { " (with a photo)" } else { "" };
        says.push(format!("  {}: {words}{photo}", message.by.label()));
    }
    Ok(says)
}

fn of_line(household: &Household, order: &Order, line: &Line) -> Result<String, Failure> {
    let name = carts::name(household, order.shop, line.wanted.variant)?;
    let state = match line.state {
        LineState::Cancelled { why } => format!(": {why}"),
        LineState::Proposed { .. } => ": the shop asks about it".to_owned(),
        LineState::HandedOver { back, .. } if back > 0 => ": brought back".to_owned(),
        _ => String::new(),
    };
    let instead = match line.substitute {
        Some(substitute) => {
            let other = carts::name(household, order.shop, substitute.variant)?;
            format!(" → {} {other}", substitute.quantity)
        }
        None => String::new(),
    };
    Ok(format!("{} {name}{instead}{state}", line.wanted.quantity))
}
