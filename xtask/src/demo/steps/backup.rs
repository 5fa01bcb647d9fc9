//! The shop's box dies and yesterday's backup comes back: a new generation, nothing doubled.

use anyhow::ensure;

use crate::demo::steps::accepted;
use crate::demo::story::Story;
use crate::demo::town::shop::Ware;
use crate::demo::town::{Town, Which};
use crate::demo::wait::until;

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let backup = town.file("lane.backup");
    town.lane.back_up(&backup).await?;
    story.say("Lane Stores makes its daily backup.");
    let tea = town.lane.find("chai patti").await?;
    let bread = town.lane.find("double roti").await?;
    let mut after = Vec::new();
    for household in 0..town.households.len() {
        let order = town.order(household, Which::Lane, &[(&tea, 100), (&bread, 1)]).await?;
        accepted(town, household, &order).await?;
        after.push(order);
    }
    ensure!(town.walk_in(Which::Lane, &bread, 2).await?, "the till refused");
    story.say("Then four households order tea and bread, and a walk-in buys two loaves.");
    town.lane.pull_the_plug().await?;
    let folder = town.file("lane-new-box");
    town.lane.restore(&backup, &folder).await?;
    town.lane.open().await?;
    story
        .say("The box dies. The backup is restored to a new one, which signs as a new generation.");
    let address = town.lane.address()?;
    for household in &town.households {
        household.choose(&address).await?;
    }
    story.say("Households meet the new box; its papers are by the owner they know.");
    let heads = until("the orders that the backup never saw", async || {
        for household in &town.households {
            household.sync(None).await?;
        }
        let known = town.lane.orders().await?;
        Ok(after.iter().all(|order| known.contains(order)).then_some(known))
    })
    .await?;
    ensure!(heads.len() >= after.len());
    story.say(
        "Households and shop compare how far their papers go; the shop takes the orders over.",
    );
    for order in &after {
        let times = heads.iter().filter(|id| *id == order).count();
        ensure!(times == 1, "the restored shop lists order {order} {times} times");
    }
    recount(town, Which::Lane, &[&tea, &bread]).await?;
    story.say("Somebody counts the shelves that may be wrong, and they are opened for sale again.");
    let waited = town.lane.accept_waiting().await?;
    if waited > 0 {
        story.say(&format!(
            "The owner says yes to {waited} orders that came while nobody knew the stock."
        ));
    }
    Ok(())
}

/// What the walk-ins took after the backup is on no paper of the restored box.
async fn recount(town: &mut Town, which: Which, wares: &[&Ware]) -> anyhow::Result<()> {
    town.gather().await?;
    for ware in wares {
        let units = town.lying_there(which, ware);
        town.shop(which).recount(ware, units).await?;
    }
    town.shop(which).confirm_stock().await
}
