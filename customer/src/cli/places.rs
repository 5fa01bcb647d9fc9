//! `shops`, `hub` and `address`: whom this household deals with, and where it lives.

use kirana_core::{
    household::{Address, HouseholdError as Refusal},
    id::{AddressId, ShopId},
};
use rand_core::Rng;
use serde::Serialize;

use super::{
    Desk, Failure,
    args::{Addresses, Hubs, NewAddress, Shops},
    now, wait,
};
use crate::{app::carriers::Carrier, clock, net::meet, store::shops::KnownShop};

#[derive(Serialize)]
struct ShopLine {
    id: ShopId,
    name: String,
    vouched: bool,
    addresses: Vec<String>,
    products: u64,
}

impl ShopLine {
    fn of(shop: KnownShop, products: u64) -> Self {
        let KnownShop { id, name, vouched, addresses, .. } = shop;
        Self { id, name, vouched, addresses, products }
    }

    fn sentence(&self) -> String {
        let vouched = if self.vouched { "" } else { " (nobody vouches for it but you)" };
        format!("{}  {}{vouched}, {} products saved", self.id, self.name, self.products)
    }
}

#[derive(Serialize)]
struct Items<T: Serialize> {
    items: Vec<T>,
}

pub(super) fn shops(desk: &Desk, command: Option<Shops>) -> Result<(), Failure> {
    match command.unwrap_or(Shops::List) {
        Shops::List => list_shops(desk),
        Shops::Add { target, name } => add_shop(desk, &target, name),
        Shops::Find { near } => find_shops(desk, &near),
    }
}

fn list_shops(desk: &Desk) -> Result<(), Failure> {
    let household = desk.household()?;
    let mut items = Vec::new();
    for shop in household.known_shops()? {
        let products = household.products_saved(shop.id)?;
        items.push(ShopLine::of(shop, products));
    }
    let all = Items { items };
    desk.say(&all, || match all.items.is_empty() {
        true => "No shop was chosen yet: `kirana shops add` chooses one.".to_owned(),
        false => all.items.iter().map(ShopLine::sentence).collect::<Vec<_>>().join("\n"),
    });
    Ok(())
}

fn add_shop(desk: &Desk, target: &str, name: Option<String>) -> Result<(), Failure> {
    let household = desk.household()?;
    let mut introduced = wait(meet::shop(&household, target, now()))??;
    if let Some(name) = name {
        introduced.name = name;
    }
    if introduced.name.trim().is_empty() {
        introduced.name = "a shop without a name".to_owned();
    }
    let shop = household.choose_shop(introduced, now())?;
    let line = ShopLine::of(shop, 0);
    desk.say(&line, || format!("Chosen: {}  {}", line.id, line.name));
    Ok(())
}

fn find_shops(desk: &Desk, near: &str) -> Result<(), Failure> {
    let place = near
        .parse()
        .map_err(|_| Failure::Usage(format!("«{near}» is no place; write it as 12.97,77.59")))?;
    let household = desk.household()?;
    let found = Items { items: wait(meet::around(&household, place, now()))?? };
    desk.say(&found, || match found.items.is_empty() {
        true => "No shop is known around there.".to_owned(),
        false => found
            .items
            .iter()
            .map(|shop| format!("{}  {}, {} m away", shop.id, shop.name, shop.distance_m))
            .collect::<Vec<_>>()
            .join("\n"),
    });
    Ok(())
}

pub(super) fn carriers(desk: &Desk, command: Hubs) -> Result<(), Failure> {
    let household = desk.household()?;
    match command {
        Hubs::List => {
            let all = Items { items: household.carriers()? };
            desk.say(&all, || {
                all.items
                    .iter()
                    .map(|carrier| carrier.address.clone())
                    .collect::<Vec<_>>()
                    .join("\n")
            });
        }
        Hubs::Add { address } => {
            let carrier: Carrier = wait(meet::carrier(&household, &address))??;
            household.add_carrier(carrier.clone())?;
            desk.say(&carrier, || format!("Orders may go by {} from now on.", carrier.address));
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct AddressLine {
    id: AddressId,
    default: bool,
    #[serde(flatten)]
    address: Address,
}

pub(super) fn addresses(desk: &Desk, command: Option<Addresses>) -> Result<(), Failure> {
    let household = desk.household()?;
    let (at, mut rng) = (now(), clock::rng());
    match command.unwrap_or(Addresses::List) {
        Addresses::List => {}
        Addresses::Add(new) => {
            let NewAddress { label, text, phone, city, region, postcode, country, .. } = new;
            let (default, position) = (new.default, new.position);
            let address = Address { label, text, phone, city, region, postcode, country, position };
            let mut random = [0; 10];
            rng.fill_bytes(&mut random);
            let fresh = AddressId::new(at, random);
            household.edit_document(&mut rng, move |document| {
                let same = document.address(&address.label);
                let id = same.map_or(fresh, |(id, _)| id);
                document.put_address(id, &address, at)?;
                if default { document.choose_address(id, at) } else { Ok(()) }
            })?;
        }
        Addresses::Remove { label } => {
            household.edit_document(&mut rng, move |document| match document.address(&label) {
                Some((id, _)) => document.remove_address(id, at),
                None => Err(Refusal::NotThere),
            })?;
        }
    }
    let document = household.document()?;
    let usual = document.usual_address();
    let known = document.addresses().into_iter();
    let items = known.map(|(id, address)| AddressLine { id, default: usual == Some(id), address });
    let all = Items { items: items.collect() };
    desk.say(&all, || {
        let lines = all.items.iter().map(|line| {
            let usual = if line.default { " (usual)" } else { "" };
            format!("{}{usual}: {}", line.address.label, line.address.text)
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}
