//! `order` and `journal`: placing, following, withdrawing, carrying by hand.

use std::{collections::BTreeMap, io::Read, path::Path};

use kirana_core::{
    household::CartLine,
    id::{CartId, OrderId, ShopId},
    money::Currency,
    order::{
        facts::ToConfirm,
        personal::Personal,
        placed::{Handover, Method, WantedLine},
    },
    spoken::ShortNumber,
    time::UnixMs,
};
use serde::Serialize;

use super::{
    Desk, Failure,
    args::{Order, Pay, Place},
    asking::{self, Asked},
    carts, meant, now,
    qr::ShownAs,
    slots,
};
use crate::{
    app::{Household, file::FILE_BYTES_MAX, place::NewOrder, status::OrderStatus, terms::Quote},
    clock,
};

#[derive(Serialize)]
struct Orders<T: Serialize> {
    orders: Vec<T>,
}

#[derive(Serialize)]
struct Placed {
    id: OrderId,
    shop: ShopId,
    /// The number that a person can read aloud.
    number: String,
    /// The most that it comes to.
    quote: Quote,
}

pub(super) fn order(desk: &Desk, command: Order) -> Result<(), Failure> {
    match command {
        Order::Place(place) => self::place(desk, &place),
        Order::Status { id } => status(desk, id),
        Order::List => status(desk, None),
        Order::Withdraw { id } => ask(desk, id, "withdraw"),
        Order::Cancel { id } => ask(desk, id, "cancel"),
        Order::Pay { id, show } => pay(desk, id, &show),
        Order::Export { id, file } => export(desk, id, &file),
        Order::Receive { file } => receive(desk, &file),
        Order::Change(change) => asking::change(desk, &change),
        Order::Approve(approve) => asking::approve(desk, &approve),
        Order::Complain(complain) => asking::complain(desk, &complain),
    }
}

fn place(desk: &Desk, place: &Place) -> Result<(), Failure> {
    let household = desk.household()?;
    let (at, mut rng) = (now(), clock::rng());
    let mut by_shop: BTreeMap<ShopId, Vec<WantedLine>> = BTreeMap::new();
    let from_cart = place.items.is_empty();
    let cart = carts::named(&household.document()?, place.cart.as_deref())?;
    for (shop, line) in wanted(&household, place, cart)? {
        by_shop.entry(shop).or_default().push(line);
    }
    if by_shop.is_empty() {
        return Err(Failure::Nothing("the cart is empty: `kirana cart add` fills it"));
    }
    let personal = personal(&household, place)?;
    let collected = personal.address.is_empty();
    let mut quoted = Vec::new();
    for (shop, lines) in by_shop {
        let mut new = new_order(place, shop, lines, personal.clone(), at)?;
        let handover = new.handover;
        new.handover = slots::chosen(&household, shop, handover, place.slot.as_deref(), at)?;
        let quote = household.quote(&new, at)?;
        new.fee = quote.fee.map(|fee| fee.amount);
        quoted.push((new, quote));
    }
    if place.preview {
        return preview(desk, &household, quoted);
    }
    let mut orders = Vec::new();
    for (new, quote) in quoted {
        let shop = new.shop;
        let placed = household.place_from(from_cart.then_some(cart), new, at, &mut rng)?;
        let number = ShortNumber::of(shop, placed.id);
        orders.push(Placed { id: placed.id, shop, number: number.to_string(), quote });
    }
    let placed = Orders { orders };
    desk.say(&placed, || {
        let lines = placed.orders.iter().map(|order| {
            let (number, sum, id) = (&order.number, order.quote.sum, order.id);
            format!("Order {number} over {sum} is placed and saved on this device ({id}).")
        });
        let mut says = lines.collect::<Vec<_>>().join("\n");
        if collected && !place.pickup {
            says.push_str(
                "\nThere is no address to bring it to (`kirana address add`), so you collect it.",
            );
        }
        says
    });
    Ok(())
}

fn new_order(
    place: &Place,
    shop: ShopId,
    lines: Vec<WantedLine>,
    personal: Personal,
    at: UnixMs,
) -> Result<NewOrder, Failure> {
    let first = lines.first().ok_or(Failure::Nothing("there is nothing to order"))?;
    let currency: Currency = first.seen.currency;
    // Nobody can bring an order to nowhere.
    let handover = match personal.address.is_empty() {
        true => Handover::Pickup { slot: None },
        false => Handover::Delivery { slot: None },
    };
    let answer_by = at.plus_ms(u64::from(place.answer_within) * 60 * 60 * 1000);
    Ok(NewOrder {
        shop,
        currency,
        lines,
        handover,
        payment: match place.pay {
            Pay::OnDelivery => Method::OnDelivery,
            Pay::Khata => Method::OnKhata,
            Pay::Upi => Method::Upi,
            Pay::Card => Method::Card,
        },
        partial_ok: place.partial,
        personal: (personal != Personal::default()).then_some(personal),
        answer_by,
        fee: None,
        of_age: place.of_age,
    })
}

#[derive(Serialize)]
struct Previewed {
    shop: ShopId,
    lines: Vec<WantedLine>,
    handover: Handover,
    quote: Quote,
}

/// Shows what orders would come to, in full.
fn preview(
    desk: &Desk,
    household: &Household,
    quoted: Vec<(NewOrder, Quote)>,
) -> Result<(), Failure> {
    let mut says = Vec::new();
    for (new, quote) in &quoted {
        let shop = household.known_shop(new.shop)?.map(|shop| shop.name).unwrap_or_default();
        says.push(format!("{shop}: {} line(s), goods {}", new.lines.len(), quote.goods));
        match (quote.fee, quote.terms_of) {
            (Some(fee), _) => says.push(format!("  brought for {}", fee.amount)),
            (None, Some(_)) => says.push("  nothing more for handing it over".to_owned()),
            (None, None) => says.push("  the shop has not said what bringing it costs".to_owned()),
        }
        let taxes = quote.taxes.iter();
        says.extend(taxes.map(|(rate, tax)| format!("  of it tax {}: {tax}", percent(*rate))));
        says.push(format!("  {} at most", quote.sum));
    }
    let shown = quoted.into_iter().map(|(new, quote)| {
        let NewOrder { shop, lines, handover, .. } = new;
        Previewed { shop, lines, handover, quote }
    });
    let orders = Orders { orders: shown.collect() };
    desk.say(&orders, || says.join("\n"));
    Ok(())
}

fn percent(rate_bp: u32) -> String {
    match rate_bp % 100 {
        0 => format!("{} %", rate_bp / 100),
        rest => format!("{}.{rest:02} %", rate_bp / 100),
    }
}

/// What is to be ordered where: the given items, or the cart.
fn wanted(
    household: &Household,
    place: &Place,
    cart: CartId,
) -> Result<Vec<(ShopId, WantedLine)>, Failure> {
    let mut lines = Vec::new();
    let only = place.shop.as_deref().map(|shop| meant::shop(household, shop)).transpose()?;
    for text in &place.items {
        let wrong = || Failure::Usage(format!("«{text}» is not VARIANT=AMOUNT"));
        let (variant, amount) = text.rsplit_once('=').ok_or_else(wrong)?;
        let shop = only.ok_or_else(wrong)?;
        let variant = meant::variant(household, shop, variant)?;
        let (item, quantity) = carts::wanted(household, shop, variant, amount)?;
        lines.push((shop, line(household, &CartLine { item, quantity, seen: None })?));
    }
    if place.items.is_empty() {
        let cart = household.document()?.lines(cart);
        let here = cart.iter().filter(|line| only.is_none_or(|shop| line.item.shop == shop));
        for wanted in here {
            lines.push((wanted.item.shop, line(household, wanted)?));
        }
    }
    Ok(lines)
}

/// A line at the price that the saved catalogue shows.
pub(super) fn line(household: &Household, wanted: &CartLine) -> Result<WantedLine, Failure> {
    let item = wanted.item;
    let gone = || {
        let (shop, variant) = (item.shop, item.variant);
        Failure::NotForSale(format!("shop {shop} no longer sells {variant}; take it off the cart"))
    };
    let (shelved, n) = household.on_the_shelf(item.shop, item.variant)?.ok_or_else(gone)?;
    let variant = shelved.product.variants.get(&item.variant).ok_or_else(gone)?;
    // Known before it holds: a shop's planned prices and deals came with its catalogue.
    let price = variant.price_of(wanted.quantity.amount(), now());
    let price = price.filter(|_| !shelved.product.delisted).ok_or_else(gone)?;
    let line = WantedLine::new(item.product, item.variant, wanted.quantity, price);
    Ok(WantedLine { seen_version: n, ..line })
}

fn personal(household: &Household, place: &Place) -> Result<Personal, Failure> {
    let document = household.document()?;
    let chosen = match &place.to {
        Some(label) => document.address(label).map(|(_, address)| address),
        None => document.usual_address().and_then(|id| document.addresses().remove(&id)),
    };
    if let (Some(label), None) = (&place.to, &chosen) {
        return Err(Failure::NotForSale(format!("there is no address «{label}»")));
    }
    let position = chosen.as_ref().and_then(|chosen| chosen.position);
    let (address, phone) =
        chosen.map(|chosen| (chosen.written(), chosen.phone)).unwrap_or_default();
    let personal = Personal {
        name: place.name.clone().unwrap_or_else(|| document.name()),
        address: if place.pickup { String::new() } else { address },
        phone,
        note: place.note.clone(),
        place: position.filter(|_| !place.pickup),
    };
    Ok(personal)
}

fn status(desk: &Desk, id: Option<OrderId>) -> Result<(), Failure> {
    let household = desk.household()?;
    if let Some(id) = id {
        let status = household.order_status(id, now())?;
        let mut says = vec![sentence(&status)];
        let code = status.code.iter();
        says.extend(code.map(|code| format!("Tell this code when you get the goods: {code}")));
        says.extend(asking::told(&household, &status)?);
        desk.say(&status, || says.join("\n"));
        return Ok(());
    }
    let mut orders = Vec::new();
    for id in household.order_ids()? {
        orders.push(household.order_status(id, now())?);
    }
    let all = Orders { orders };
    desk.say(&all, || match all.orders.is_empty() {
        true => "No order was placed yet.".to_owned(),
        false => all.orders.iter().map(sentence).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

fn sentence(status: &OrderStatus) -> String {
    let number = ShortNumber::of(status.shop, status.id);
    let total = status.total.map(|total| format!(", {total}")).unwrap_or_default();
    let stage = match status.says.as_str() {
        "decided" => format!("{} ({})", status.says, status.stage),
        says => says.to_owned(),
    };
    format!("{number}  {}{total}: {stage}  [{}]", status.shop_name, status.id)
}

fn ask(desk: &Desk, id: OrderId, what: &'static str) -> Result<(), Failure> {
    let household = desk.household()?;
    let (at, mut rng) = (now(), clock::rng());
    match what {
        "withdraw" => household.withdraw(id, at, &mut rng)?,
        _ => household.cancel(id, at, &mut rng)?,
    };
    Asked { id, asked: what }.told(desk);
    Ok(())
}

#[derive(Serialize)]
struct Payable {
    id: OrderId,
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<ToConfirm>,
}

fn pay(desk: &Desk, id: OrderId, show: &ShownAs) -> Result<(), Failure> {
    let household = desk.household()?;
    if let Some(card) = household.order_chain(id)?.order().to_confirm() {
        return pay_by_card(desk, id, show, card);
    }
    let link = household.upi_link(id)?;
    let nothing = "nothing is to be paid, or the shop takes neither UPI nor cards for it";
    let link = link.ok_or(Failure::Nothing(nothing))?;
    let pictures = show.pictures(&link)?;
    let payable = Payable { id, link: Some(link.clone()), card: None };
    desk.say(&payable, || format!("{pictures}{link}"));
    Ok(())
}

fn pay_by_card(desk: &Desk, id: OrderId, show: &ShownAs, card: ToConfirm) -> Result<(), Failure> {
    let ToConfirm { amount, client_secret, publishable_key, link } = card.clone();
    let payable = Payable { id, link: link.clone(), card: Some(card) };
    let says = match link {
        Some(link) => format!("{}{link}", show.pictures(&link)?),
        None => format!("client secret {client_secret}\npublishable key {publishable_key}"),
    };
    desk.say(&payable, || format!("Up to {amount} is held on your card; confirm it:\n{says}"));
    Ok(())
}

#[derive(Serialize)]
struct Exported {
    id: OrderId,
    file: String,
    bytes: usize,
}

fn export(desk: &Desk, id: OrderId, file: &Path) -> Result<(), Failure> {
    let household = desk.household()?;
    let bytes = household.export(id, now(), &mut clock::rng())?;
    write_whole(file, &bytes).map_err(|source| failed(file, source))?;
    let exported = Exported { id, file: file.display().to_string(), bytes: bytes.len() };
    desk.say(&exported, || {
        format!("Carry {} to the shop; only the shop can read it.", exported.file)
    });
    Ok(())
}

/// Written beside and renamed, so that nobody carries half a file.
fn write_whole(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".part");
    std::fs::write(&fresh, bytes)?;
    std::fs::File::open(&fresh)?.sync_all()?;
    std::fs::rename(&fresh, file)
}

#[derive(Serialize)]
struct Received {
    changed: Vec<OrderId>,
    doubted: Vec<String>,
}

fn receive(desk: &Desk, file: &Path) -> Result<(), Failure> {
    let household = desk.household()?;
    let opened = std::fs::File::open(file).map_err(|source| failed(file, source))?;
    let mut bytes = Vec::new();
    // One byte past the limit shows that a file is too long without reading all of it.
    let mut limited = opened.take(FILE_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(|source| failed(file, source))?;
    let received = household.receive_file(&bytes, now())?;
    let told = Received { changed: received.changed, doubted: received.doubted };
    desk.say(&told, || match (told.changed.len(), told.doubted.first()) {
        (0, Some(why)) => format!("Nothing was taken in: {why}"),
        (0, None) => "Nothing new was in the file.".to_owned(),
        (n, _) => format!("News about {n} order{}.", if n == 1 { "" } else { "s" }),
    });
    Ok(())
}

fn failed(file: &Path, source: std::io::Error) -> Failure {
    Failure::File { path: file.display().to_string(), source }
}

pub(super) fn journal(desk: &Desk) -> Result<(), Failure> {
    let orders = desk.household()?.journal()?;
    let all = Orders { orders };
    desk.say(&all, || {
        let lines = all.orders.iter().map(|line| {
            let route = line.first_route.map_or("nowhere yet", |route| route.as_str());
            format!("{}  placed {}  first taken in: {route}", line.order, line.shown_placed)
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
