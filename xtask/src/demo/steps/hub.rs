//! The plain case: everything is up, and the order goes by the hub.

use crate::demo::checker::Path;
use crate::demo::steps::accepted;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};
use crate::demo::wait::until;

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let found = town.households[0].search("atta").await?;
    anyhow::ensure!(!found.is_empty(), "the saved catalogue does not find atta");
    story.say("Asha looks for \"atta\" in her saved catalogue and finds wheat flour.");
    let flour = town.corner.find("atta").await?;
    let rice = town.corner.find("basmati chawal").await?;
    let order = town.order(0, Which::Corner, &[(&flour, 2_000), (&rice, 1_000)]).await?;
    story.say("She orders 2 kg of it and 1 kg of rice; the screen says: saved on this device.");
    town.households[0].sync(Some(Path::Hub)).await?;
    accepted(town, 0, &order).await?;
    story.say("The sealed order went by the hub, which could not read it. The shop said yes.");
    let shops = until("the hub has both shelves", async || {
        let shops = town.hub.sellers("atta").await?;
        Ok((shops.len() == 2).then_some(shops))
    })
    .await?;
    let shops: Vec<String> = shops.into_iter().collect();
    story.say(&format!("At the hub's own shelf, wheat flour is found at {}.", shops.join(" and ")));
    Ok(())
}
