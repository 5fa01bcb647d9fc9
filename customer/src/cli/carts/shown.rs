//! A cart as it stands: what each line comes to now, and what is different from when it was put in.

use std::collections::BTreeMap;

use kirana_core::{
    availability::Level,
    household::CartLine,
    id::{CartId, ShopId},
    money::{Money, Price},
};
use serde::Serialize;

use super::super::{Desk, Failure, now};
use crate::app::{
    Household,
    priced::{Hurdle, PricedLine, priced},
};

#[derive(Serialize)]
struct Shown {
    cart: CartId,
    name: String,
    items: Vec<CartItem>,
    /// What is to be known of the shops.
    shops: Vec<CartShop>,
    /// What was to be put in just now and is not sold like that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct CartItem {
    #[serde(flatten)]
    line: CartLine,
    name: String,
    price: Option<Price>,
    sum: Option<Money>,
    /// What it came to by the price when it was put in, where that is something else.
    was: Option<Money>,
    hurdle: Option<Hurdle>,
    /// How much the shop said there is left.
    stock: Option<Level>,
}

#[derive(Serialize)]
struct CartShop {
    id: ShopId,
    name: String,
    /// What its lines come to, as far as they have a price.
    sum: Option<Money>,
    /// By its own opening hours, where it told them.
    open_now: Option<bool>,
}

/// Shows a cart.
pub(super) fn show(
    desk: &Desk,
    household: &Household,
    cart: CartId,
    left_out: Vec<String>,
) -> Result<(), Failure> {
    let shown = Shown { left_out, ..shown(household, cart)? };
    desk.say(&shown, || {
        let empty = shown.items.is_empty().then(|| format!("«{}» is empty.", shown.name));
        let lines = empty.into_iter().chain(shown.items.iter().map(CartItem::sentence));
        let lines = lines.chain(shown.shops.iter().map(CartShop::sentence));
        let left_out = shown.left_out.iter().map(|why| format!("Not put in: {why}"));
        lines.chain(left_out).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn shown(household: &Household, cart: CartId) -> Result<Shown, Failure> {
    let (document, at) = (household.document()?, now());
    let (mut items, mut sums) = (Vec::new(), BTreeMap::<ShopId, Option<Money>>::new());
    for line in document.lines(cart) {
        let found = household.on_the_shelf(line.item.shop, line.item.variant)?;
        let shelved = found.map(|(shelved, _)| shelved);
        let stock = match &shelved {
            Some(shelved) => household.stock(std::slice::from_ref(shelved))?.pop().flatten(),
            None => None,
        };
        let stock = stock.and_then(|stock| stock.variants.get(&line.item.variant).copied());
        let PricedLine { line, name, price, sum, was, hurdle } = priced(line, shelved.as_ref(), at);
        // What the shop said last of this very size counts more than whether it has any of the product, and
        // one that never said is not one that has none.
        let hurdle = match (hurdle, stock) {
            (Some(Hurdle::OutOfStock), Some(level)) if level != Level::None => None,
            (Some(Hurdle::OutOfStock), None) => None,
            (None, Some(Level::None)) => Some(Hurdle::OutOfStock),
            (hurdle, _) => hurdle,
        };
        let so_far = sums.entry(line.item.shop).or_default();
        *so_far = match (*so_far, sum) {
            (Some(before), Some(sum)) => before.checked_add(sum).ok(),
            (before, sum) => before.or(sum),
        };
        items.push(CartItem { line, name, price, sum, was, hurdle, stock });
    }
    let shops = sums.into_iter().map(|(id, sum)| {
        let name = household.known_shop(id)?.map(|shop| shop.name).unwrap_or_default();
        let open_now = household.terms(id)?.and_then(|said| said.terms.is_open(at));
        Ok::<_, Failure>(CartShop { id, name, sum, open_now })
    });
    let shops = shops.collect::<Result<_, _>>()?;
    let name = document.carts().into_iter().find(|known| known.id == cart);
    let name = name.map(|cart| cart.name).unwrap_or_default();
    Ok(Shown { cart, name, items, shops, left_out: Vec::new() })
}

/// Writes a cart as text that can be sent to anybody: no ids, no addresses.
pub(super) fn share(desk: &Desk, household: &Household, cart: CartId) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shared {
        text: String,
    }
    let shown = shown(household, cart)?;
    let mut text = format!("{}\n", shown.name);
    for shop in &shown.shops {
        text.push_str(&format!("\n{}:\n", shop.name));
        for item in shown.items.iter().filter(|item| item.line.item.shop == shop.id) {
            let name = if item.name.is_empty() { "(no longer sold)" } else { &item.name };
            text.push_str(&format!("- {} {name}\n", item.line.quantity));
        }
    }
    let shared = Shared { text };
    desk.say(&shared, || shared.text.trim_end().to_owned());
    Ok(())
}

impl CartItem {
    fn sentence(&self) -> String {
        let mut says = format!("{}  {}", self.line.quantity, self.name);
        if let Some(sum) = self.sum {
            says.push_str(&format!("  {sum}"));
        }
        if let (Some(was), Some(sum)) = (self.was, self.sum) {
            let how = if sum.minor > was.minor { "dearer" } else { "cheaper" };
            says.push_str(&format!(" ({how}: it was {was})"));
        }
        match (self.hurdle, self.stock) {
            (Some(hurdle), _) => says.push_str(&format!(": {}", hurdle.says())),
            (None, Some(Level::Few)) => says.push_str(": little is left"),
            (None, _) => {}
        }
        says
    }
}

impl CartShop {
    fn sentence(&self) -> String {
        let sum = self.sum.map_or("nothing with a price".to_owned(), |sum| sum.to_string());
        let closed = if self.open_now == Some(false) { " (closed now)" } else { "" };
        format!("{}{closed}: {sum}", self.name)
    }
}
