//! The hub's plug is pulled; neighbours on one network go on.

use crate::demo::checker::Path;
use crate::demo::steps::accepted;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    town.hub.pull_the_plug().await?;
    story.say("The hub is killed. Nobody tells the shop or the households.");
    let dal = town.corner.find("toor dal").await?;
    let order = town.order(1, Which::Corner, &[(&dal, 500)]).await?;
    town.households[1].sync(Some(Path::Direct)).await?;
    accepted(town, 1, &order).await?;
    story.say("Bilal orders 500 g of toor dal straight from the shop on the same network: yes.");
    let milk = town.corner.find("doodh").await?;
    let order = town.order(3, Which::Corner, &[(&milk, 1_000)]).await?;
    town.households[3].sync(Some(Path::Direct)).await?;
    accepted(town, 3, &order).await?;
    story.say("Dev, whom the hub never met, gets his litre of milk as a guest.");
    Ok(())
}
