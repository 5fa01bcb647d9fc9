//! Which shop and which product somebody means: by id, by name, or by words that find only one.

use kirana_core::{
    catalogue::product::Language,
    id::{ShopId, VariantId},
};
use kirana_migrations::catalogue::{Filter, question::NotAQuestion, search::Query};

use super::Failure;
use crate::app::Household;

/// How many products a search may bring before somebody has to say which.
const OFFERED_MAX: u16 = 10;

/// The shop of this id, or the only one among the chosen whose name begins like this.
pub(super) fn shop(household: &Household, text: &str) -> Result<ShopId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let begins = |name: &str| name.to_lowercase().starts_with(&text.to_lowercase());
    let known = household.known_shops()?;
    let meant: Vec<_> = known.iter().filter(|shop| begins(&shop.name)).collect();
    match meant.as_slice() {
        [shop] => Ok(shop.id),
        [] => Err(Failure::Usage(format!(
            "none of your shops is called «{text}»: `kirana shops` lists them"
        ))),
        several => {
            let several = several.iter().map(|shop| format!("\n  {}  {}", shop.id, shop.name));
            let several: String = several.collect();
            Err(Failure::Usage(format!("«{text}» may be several shops; name one:{several}")))
        }
    }
}

/// The variant of this id, or the only one in the shop's saved catalogue that these words find.
pub(super) fn variant(
    household: &Household,
    shop: ShopId,
    text: &str,
) -> Result<VariantId, Failure> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let wrong = |why: NotAQuestion| Failure::Usage(why.to_string());
    let filter = Filter { shop: Some(shop), ..Filter::default() };
    let question = text.parse().map_err(wrong)?;
    let query = Query { question, filter, limit: OFFERED_MAX, ..Query::default() };
    let mut found = Vec::new();
    for item in household.search(&query)?.items {
        for (id, variant) in &item.product.variants {
            let label = variant.label.as_ref().map(|label| format!(", {label}"));
            let label = label.unwrap_or_default();
            found.push((*id, format!("{}{label}", item.product.name(Language::ENGLISH))));
        }
    }
    match found.as_slice() {
        [(id, _)] => Ok(*id),
        [] => Err(Failure::Usage(format!(
            "the saved catalogue of shop {shop} has no «{text}»: `kirana search` looks for it"
        ))),
        several => {
            let several = several.iter().map(|(id, name)| format!("\n  {id}  {name}"));
            let several: String = several.collect();
            Err(Failure::Usage(format!("«{text}» may be several; name one by its id:{several}")))
        }
    }
}
