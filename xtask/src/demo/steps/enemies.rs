//! Envelopes that nobody should believe: each is refused, and says why.

use anyhow::ensure;

use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let before = town.corner.orders().await?.len() + town.lane.orders().await?.len();
    mis_addressed(town, story).await?;
    damaged(town, story).await?;
    let after = town.corner.orders().await?.len() + town.lane.orders().await?.len();
    ensure!(before == after, "an order came out of an envelope that should have been refused");
    Ok(())
}

/// An order for one shop is handed to the other.
async fn mis_addressed(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let file = town.file("two-soaps.kirana");
    let refused = town.lane.receive(&file).await?;
    ensure!(!refused.status.success(), "Lane Stores took an order for the Corner Store");
    story.say(&format!(
        "Asha's order for the Corner Store, at Lane Stores: \"{}\"",
        why(&refused.complaint)
    ));
    Ok(())
}

/// One bit of a sealed envelope is turned.
async fn damaged(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let mut bytes = std::fs::read(town.file("two-soaps.kirana"))?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let file = town.file("damaged.kirana");
    std::fs::write(&file, bytes)?;
    let refused = town.shop(Which::Corner).receive(&file).await?;
    ensure!(!refused.status.success(), "the shop took an envelope that somebody had changed");
    story.say(&format!("The same with one bit turned: \"{}\"", why(&refused.complaint)));
    Ok(())
}

/// The sentence in a problem report.
fn why(complaint: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(complaint).unwrap_or_default();
    let said = problem["detail"].as_str().or_else(|| problem["title"].as_str());
    said.unwrap_or(complaint).to_owned()
}
