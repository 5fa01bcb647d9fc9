//! No network at all: an order walks to the shop in somebody's pocket.

use anyhow::ensure;

use crate::demo::steps::accepted;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let eggs = town.corner.find("anda").await?;
    let order = town.order(3, Which::Corner, &[(&eggs, 6)]).await?;
    let file = town.file("six-eggs.kirana");
    town.households[3].export(&order, &file).await?;
    story.say("Dev has no network. He writes his order for six eggs to a file.");
    let taken = town.corner.receive(&file).await?;
    ensure!(taken.status.success(), "the shop did not take the file: {}", taken.complaint);
    story.say("Somebody carries the file to the shop, which takes it in and decides.");
    if let Some(reply) = taken.result["reply_file"].as_str() {
        town.households[3].receive(reply.as_ref()).await?;
    }
    accepted(town, 3, &order).await?;
    story.say("The answer reaches Dev: yes.");
    Ok(())
}
