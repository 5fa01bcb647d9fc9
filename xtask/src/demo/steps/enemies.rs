//! Envelopes that nobody should believe: each is refused, and says why.

use std::path::Path;

use anyhow::{bail, ensure};

use crate::demo::forger::{Forger, Target};
use crate::demo::papers::{self, Letter};
use crate::demo::story::Story;
use crate::demo::town::{Town, Which};

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let soap = town.corner.find("nahane ka sabun").await?;
    let order = town.order(0, Which::Corner, &[(&soap, 1)]).await?;
    let file = town.file("one-soap.kirana");
    town.households[0].export(&order, &file).await?;
    let before = town.corner.orders().await?.len() + town.lane.orders().await?.len();

    refused(
        town,
        story,
        Which::Lane,
        &file,
        "Asha's letter for the Corner Store, handed to Lane Stores",
    )
    .await?;
    let mut forger = Forger::appear();
    let journal = town.households[0].journal();
    let letter = Letter::steal(&journal, &order, &file)?;
    let corner = Target::among(&papers::certificates_of(&journal, &town.corner.id)?)?;
    let lane = Target::among(&papers::certificates_of(&journal, &town.lane.id)?)?;

    let forged = town.file("forged.kirana");
    std::fs::write(&forged, forger.in_anothers_name(&letter, &corner)?)?;
    refused(
        town,
        story,
        Which::Corner,
        &forged,
        "An order in Asha's name under a stranger's signature",
    )
    .await?;
    let altered = town.file("altered.kirana");
    std::fs::write(&altered, forger.altered(&letter, &corner)?)?;
    refused(town, story, Which::Corner, &altered, "Asha's order with one byte changed").await?;
    let replayed = town.file("replayed.kirana");
    std::fs::write(&replayed, forger.replayed(&letter, &lane)?)?;
    refused(town, story, Which::Lane, &replayed, "Asha's order, sealed anew for another shop")
        .await?;

    let after = town.corner.orders().await?.len() + town.lane.orders().await?.len();
    ensure!(before == after, "an order came out of an envelope that should have been refused");
    story.say("None of them left a trace in the shops' books. Asha's true order goes on its way.");
    Ok(())
}

/// Hands a file to a shop, which must refuse it with a reason.
async fn refused(
    town: &Town,
    story: &Story,
    which: Which,
    file: &Path,
    what: &str,
) -> anyhow::Result<()> {
    match town.shop(which).receive(file).await? {
        Ok(_) => bail!("{what}: it was taken"),
        Err(why) => story.say(&format!("{what}: \"{why}\"")),
    }
    Ok(())
}
