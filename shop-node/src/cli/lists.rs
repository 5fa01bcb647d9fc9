//! `stock low`, `expiring`, `reorder` and `places`: what a grocer looks at in the morning.

use kirana_core::id::LocationId;
use serde_json::json;

use super::{
    Data, Done, Failure,
    counter::{amount, batch, name_of, wanted},
};
use crate::{
    app::{Shop, batches::Lying},
    clock,
    home::Home,
    http::{batches::shown as shown_batch, reorder::shown as shown_low},
};

/// From when on something is ordered again.
#[derive(clap::Args)]
pub(super) struct Reorder {
    #[command(flatten)]
    data: Data,
    /// What: its id, its barcode, or words that find only it.
    product: String,
    /// Below this it is low, such as `5` or `2kg`; `0` leaves it to the safety stock.
    level: String,
    /// How much of it the shop likes to have; as much as the level if left out.
    up_to: Option<String>,
}

impl Reorder {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        let (variant, named, level) = wanted(&shop, &self.product, &self.level)?;
        let up_to = self.up_to.as_deref().map(|up_to| wanted(&shop, &self.product, up_to));
        let up_to = up_to.transpose()?.map_or(level, |(_, _, up_to)| up_to);
        let rule = (level > 0 || up_to > 0).then_some((level, up_to));
        shop.set_reorder(variant, rule)?;
        let says = match rule {
            None => format!("{}: low below its safety stock", named.name),
            Some(_) => {
                let (level, up_to) = (amount(level, named.unit), amount(up_to, named.unit));
                format!("{}: low below {level}, ordered up to {up_to}", named.name)
            }
        };
        let shown = json!({ "variant_id": variant, "level": level, "up_to": up_to });
        Ok(Done::new(says, shown))
    }
}

/// Places for stock.
#[derive(clap::Args)]
pub(super) struct Places {
    #[command(flatten)]
    data: Data,
    /// Names another place.
    #[arg(long, value_name = "NAME")]
    add: Option<String>,
}

impl Places {
    pub(super) fn run(self, with: impl Fn(Data) -> Home) -> Result<Done, Failure> {
        let shop = with(self.data).shop()?;
        if let Some(name) = &self.add {
            shop.name_location(None, name, clock::now(), &mut clock::rng())?;
        }
        let places = shop.locations()?;
        let says: Vec<String> = places.iter().map(|(id, name)| format!("{id}  {name}")).collect();
        let shown = |(n, (id, name)): (usize, &(LocationId, String))| json!({ "id": id, "name": name, "sells": n == 0 });
        let items: Vec<_> = places.iter().enumerate().map(shown).collect();
        Ok(Done::new(says.join("\n"), json!({ "items": items })))
    }
}

/// A place by its name or its id.
pub(super) fn place(shop: &Shop, text: &str) -> Result<LocationId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let places = shop.locations()?;
    let named = |name: &str| name.to_lowercase() == text.trim().to_lowercase();
    let found = places.iter().find(|(_, name)| named(name)).map(|(id, _)| *id);
    found.ok_or_else(|| {
        let names: Vec<&str> = places.iter().map(|(_, name)| name.as_str()).collect();
        Failure::usage(format!("no place is called «{text}»: there are {}", names.join(", ")))
    })
}

pub(super) fn low(shop: &Shop) -> Result<Done, Failure> {
    let (mut says, mut items, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let rows = shop.low(after, 100, clock::now())?;
        for row in &rows {
            let named = name_of(shop, row.variant)?;
            let free = amount(row.standing.free, named.unit);
            let order = match row.order() {
                Some(0) => ", enough is on its way".to_owned(),
                Some(order) => format!(", order {}", amount(order, named.unit)),
                None => String::new(),
            };
            says.push(format!("{}: {free} free{order}", named.name));
            let mut shown = shown_low(row);
            shown["name"] = json!(named.name);
            items.push(shown);
        }
        after = rows.last().map(|row| row.variant);
        if rows.len() < 100 {
            break;
        }
    }
    if says.is_empty() {
        says.push("There is enough of everything.".to_owned());
    }
    Ok(Done::new(says.join("\n"), json!({ "items": items })))
}

pub(super) fn expiring(shop: &Shop, within: u32) -> Result<Done, Failure> {
    let (mut says, mut items, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let found = shop.expiring(within, after, 100, clock::now())?;
        if found.in_doubt && says.is_empty() {
            says.push(format!("This box's clock is in doubt; as of {}:", found.today));
        }
        for row in &found.rows {
            let days_left = row.lot.best_before.map(|day| day.after(found.today));
            let when = match days_left {
                Some(days) if days < 0 => format!("{} days ago", -days),
                Some(0) => "today".to_owned(),
                Some(days) => format!("in {days} days"),
                None => String::new(),
            };
            says.push(format!("{} ({when})", batch(shop, row)?));
            let mut shown = shown_batch(row, true);
            shown["days_left"] = json!(days_left);
            shown["clock_in_doubt"] = json!(found.in_doubt);
            items.push(shown);
        }
        after = found.rows.last().map(Lying::place);
        if found.rows.len() < 100 {
            break;
        }
    }
    if items.is_empty() {
        says.push(format!("Nothing goes off within {within} days."));
    }
    Ok(Done::new(says.join("\n"), json!({ "items": items })))
}
