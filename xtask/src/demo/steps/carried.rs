//! No network at all: an order walks to the shop in somebody's pocket.

use anyhow::{anyhow, ensure};

use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let eggs = town.corner.find("anda").await?;
    let order = town.order(3, Which::Corner, &[(&eggs, 6)]).await?;
    let file = town.file("six-eggs.kirana");
    town.households[3].export(&order, &file).await?;
    story.say("Dev has no network. He writes his order for six eggs to a file.");
    let taken = town.corner.receive(&file).await?;
    let answer = taken.map_err(|why| anyhow!("the shop did not take the file: {why}"))?;
    story.say("Somebody carries the file to the shop, which takes it in and decides.");
    let reply = town.file("answer.kirana");
    std::fs::write(&reply, answer)?;
    town.households[3].receive(&reply).await?;
    let stage = town.households[3].stage(&order).await?;
    ensure!(stage == "accepted", "the answer in the file says {stage}");
    story.say("The answer walks back in a file as well: yes.");
    Ok(())
}
