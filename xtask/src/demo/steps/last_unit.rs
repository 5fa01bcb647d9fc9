//! Three households and a walk-in want the last unit; exactly one gets it.

use anyhow::ensure;
use futures::future::join_all;

use crate::demo::steps::verdict;
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let coconut = town.corner.find("tender coconut").await?;
    let there = town.on_shelf(Which::Corner, &coconut).await?;
    ensure!(town.walk_in(Which::Corner, &coconut, there - 1).await?, "the till refused");
    story.say("Walk-in customers buy green coconuts until one is left.");
    let mut orders = Vec::new();
    for household in 0..3 {
        orders.push(town.order(household, Which::Corner, &[(&coconut, 1)]).await?);
    }
    story.say("Asha, Bilal and Chitra order it; a walk-in takes it to the till. All at once.");
    let sends = join_all(town.households[..3].iter().map(|household| household.sync(None)));
    let (sent, sold) = futures::join!(sends, town.corner.sell(&coconut, 1));
    sent.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
    let sold = sold?;
    if sold {
        town.note_walk_in(Which::Corner, &coconut, 1);
    }
    let mut winners: Vec<&str> = if sold { vec!["the walk-in"] } else { Vec::new() };
    for (household, order) in orders.iter().enumerate() {
        if verdict(town, household, order).await? == "accepted" {
            winners.push(town.households[household].name);
        }
    }
    ensure!(winners.len() == 1, "the last coconut went to {winners:?}");
    story.say(&format!(
        "Exactly one gets it: {}. The others are told that none is left.",
        winners[0]
    ));
    Ok(())
}
