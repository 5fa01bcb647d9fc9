//! Orders end as they should: goods in the bag, money in the till.

use anyhow::ensure;

use crate::demo::checker::Verdict;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    town.gather().await?;
    let shop = town.shop(Which::Corner).name;
    let ready: Vec<String> = town
        .evidence
        .journals
        .iter()
        .filter(|order| order.shop == shop && order.verdicts == [Verdict::Accepted])
        .map(|order| order.id.clone())
        .take(BAGS)
        .collect();
    ensure!(!ready.is_empty(), "nobody has anything to fetch");
    for order in &ready {
        town.corner.hand_over(order).await?;
    }
    story.say(&format!(
        "{} households' bags are fetched at the Corner Store and paid in cash.",
        ready.len()
    ));
    Ok(())
}

const BAGS: usize = 12;
