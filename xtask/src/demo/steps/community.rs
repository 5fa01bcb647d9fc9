//! The hub is gone and the shop is off: the order waits at the community hub.

use anyhow::ensure;

use crate::demo::checker::Path;
use crate::demo::steps::accepted;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let onions = town.lane.find("pyaz").await?;
    town.lane.close().await?;
    story.say("Lane Stores closes for the night; the hub is still dark.");
    let order = town.order(2, Which::Lane, &[(&onions, 1_000)]).await?;
    town.households[2].sync(Some(Path::Community)).await?;
    let stage = town.households[2].stage(&order).await?;
    ensure!(stage == "placed", "nobody can have decided, but the order is {stage}");
    story.say("Chitra orders onions. Her order waits, sealed, at the community hub.");
    town.lane.open().await?;
    accepted(town, 2, &order).await?;
    story.say("In the morning the shop opens, fetches its mail and says yes.");
    town.hub.power_on().await?;
    story.say("The hub comes back.");
    Ok(())
}
