//! The same envelope is delivered fifty times and takes effect once.

use anyhow::{bail, ensure};
use serde_json::Value;

use crate::demo::steps::accepted;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let soap = town.corner.find("nahane ka sabun").await?;
    let before = town.published(Which::Corner, &soap).await?;
    let order = town.order(0, Which::Corner, &[(&soap, 2)]).await?;
    let file = town.file("two-soaps.kirana");
    town.households[0].export(&order, &file).await?;
    story.say("Asha's order for two soaps is written to a file, and the file is copied.");
    for time in 1..=TIMES {
        if let Err(why) = town.corner.receive(&file).await? {
            bail!("delivery {time} was refused: {why}");
        }
    }
    accepted(town, 0, &order).await?;
    let entries = entries(town, &order).await?;
    ensure!(entries.len() == 2, "fifty deliveries made {} entries", entries.len());
    let after = town.published(Which::Corner, &soap).await?;
    ensure!(
        after.reserved == before.reserved + 2 && after.on_hand == before.on_hand,
        "{TIMES} deliveries turned {before:?} into {after:?}"
    );
    story.say("The shop was handed it fifty times: one order, one decision, two soaps kept back.");
    Ok(())
}

async fn entries(town: &Town, order: &str) -> anyhow::Result<Vec<Value>> {
    let seen = town.corner.door()?.get(&format!("/v1/orders/{order}")).await?;
    Ok(seen["entries"].as_array().cloned().unwrap_or_default())
}

const TIMES: usize = 50;
