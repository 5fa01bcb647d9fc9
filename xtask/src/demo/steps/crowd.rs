//! Many orders from everybody, while both shops lose power again and again.

use anyhow::ensure;
use futures::future::join_all;

use crate::demo::story::Story;
use crate::demo::town::household::Household;
use crate::demo::town::shop::{Shop, Ware};
use crate::demo::town::{Town, Which};
use crate::demo::wait::until;

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let corner = town.corner.wares(WARES).await?;
    let lane = town.lane.wares(WARES).await?;
    let mut placed = 0;
    for round in 0..ROUNDS {
        // Each household orders at its own pace, all at the same time.
        let ordering = (0..town.households.len()).map(|household| {
            let shelves = [(&town.corner, &corner), (&town.lane, &lane)];
            // A shop has a limit for what somebody may have open whom nobody vouches for.
            let count = if town.is_guest(household) { OF_A_GUEST } else { EACH };
            order_some(&town.households[household], round * 7 + household * 3, count, shelves)
        });
        let done = join_all(ordering).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        for id in done.into_iter().flatten() {
            town.evidence.shown_placed.insert(id);
            placed += 1;
        }
        story.say(&format!("{placed} orders are placed; everybody sends at once."));
        let which = if round % 2 == 0 { Which::Corner } else { Which::Lane };
        power_cut(town, which).await?;
        story.say(&format!(
            "{} loses power between two of them, and comes back.",
            town.shop(which).name
        ));
    }
    let waiting = until("a verdict on every order of the crowd", async || {
        let synced = join_all(town.households.iter().map(|household| household.sync(None))).await;
        synced.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
        town.gather().await?;
        Ok(town.undecided().is_empty().then_some(0))
    })
    .await?;
    ensure!(waiting == 0);
    story.say(&format!("{ROUNDS} power cuts later, each of the {placed} orders has one answer."));
    Ok(())
}

/// A household's orders of one round, half at each shop; the ids that its screen showed.
async fn order_some(
    household: &Household,
    first: usize,
    count: usize,
    shelves: [(&Shop, &Vec<Ware>); 2],
) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for number in 0..count {
        let (shop, wares) = shelves[number % 2];
        let ware = &wares[(first + number) % wares.len()];
        ids.push(household.order(shop, &[(ware, ware.least)]).await?);
    }
    Ok(ids)
}

/// SIGKILL while the mail comes in, and back again.
async fn power_cut(town: &mut Town, which: Which) -> anyhow::Result<()> {
    let (households, shop) = town.households_and_shop(which);
    let sends = join_all(households.iter().map(|household| household.sync(None)));
    let cut = async {
        let before = shop.orders().await.map_or(0, |orders| orders.len());
        // The plug is pulled once some of the new orders are in, so that it hits between orders.
        let some = until("the first of the new orders at the shop", async || {
            Ok((shop.orders().await?.len() > before).then_some(()))
        });
        let _ = some.await;
        shop.pull_the_plug().await?;
        shop.open().await
    };
    // A household whose shop went dark in mid-sentence is told so; its orders stay in its outbox.
    let (_, cut) = futures::join!(sends, cut);
    cut
}

const WARES: usize = 60;
const ROUNDS: usize = 4;
const EACH: usize = 16;
const OF_A_GUEST: usize = 4;
