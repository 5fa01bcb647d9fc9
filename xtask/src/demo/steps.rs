//! The story, step by step; each step is a small file of its own.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::story::Story;
use super::town::{Town, Which};
use super::wait::until;

mod backup;
mod carried;
mod community;
mod crowd;
mod doubled;
mod enemies;
mod goods;
mod hub;
mod lan;
mod last_unit;
mod price;

/// Plays all of it. A step that fails is told and kept; the next ones still run.
pub async fn play(town: &mut Town, story: &mut Story) {
    story.step("an order through the hub", async |s| hub::play(town, s).await).await;
    story.step("hub killed, order over the LAN", async |s| lan::play(town, s).await).await;
    story
        .step("shop off, order waits at the community hub", async |s| {
            community::play(town, s).await
        })
        .await;
    story.step("an order carried as a file", async |s| carried::play(town, s).await).await;
    story.step("two staff edit one price apart", async |s| price::play(town, s).await).await;
    story.step("four want the last unit", async |s| last_unit::play(town, s).await).await;
    story.step("the same envelope fifty times", async |s| doubled::play(town, s).await).await;
    story.step("forged, replayed and mis-addressed", async |s| enemies::play(town, s).await).await;
    story.step("plugs pulled between many orders", async |s| crowd::play(town, s).await).await;
    story.step("yesterday's backup restored", async |s| backup::play(town, s).await).await;
    story.step("goods handed over and paid", async |s| goods::play(town, s).await).await;
    story.step("everybody hears the end", async |s| settle(town, s).await).await;
}

/// Waits until `household` sees a verdict on its order, and says which.
async fn verdict(town: &Town, household: usize, order: &str) -> anyhow::Result<String> {
    let household = &town.households[household];
    until(&format!("the answer to {}'s order", household.name), async || {
        household.sync(None).await?;
        let seen = household.status(order).await?;
        let waits = seen["stage"] == "placed" || seen["stage"] == "received";
        match (seen["where"].as_str(), seen["stage"].as_str()) {
            (Some("refused"), _) => Ok(Some("refused".to_owned())),
            (_, Some(stage)) if !waits => Ok(Some(stage.to_owned())),
            _ => Ok(None),
        }
    })
    .await
}

/// Waits for a verdict that must be a yes.
async fn accepted(town: &Town, household: usize, order: &str) -> anyhow::Result<()> {
    let stage = verdict(town, household, order).await?;
    ensure!(stage == "accepted", "order {order} is {stage} and should be accepted");
    Ok(())
}

/// Nobody leaves the story with an order that nobody decided.
async fn settle(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let open = until("a verdict on every order", async || {
        for household in &town.households {
            household.sync(None).await?;
        }
        town.gather().await?;
        let open: BTreeSet<String> = town.undecided();
        Ok(open.is_empty().then_some(open))
    })
    .await?;
    story.say(&format!("Every household has its answers; {} orders wait.", open.len()));
    for which in [Which::Corner, Which::Lane] {
        let shop = town.shop(which);
        let verified = shop.verify().await?;
        ensure!(verified.status.success(), "{} does not verify: {}", shop.name, verified.complaint);
        story.say(&format!("{} walks every chain and every stock equation: no fault.", shop.name));
    }
    Ok(())
}
