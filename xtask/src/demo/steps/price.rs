//! Two staff change one price without knowing of each other; the owner is shown both.

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::demo::story::Story;
use crate::demo::town::Town;

pub async fn play(town: &mut Town, story: &Story) -> anyhow::Result<()> {
    let sugar = town.corner.find("chini").await?;
    let path = format!("/v1/catalogue/products/{}", sugar.product);
    let seen = town.corner.door()?.get(&path).await?;
    story.say("Two tills of the Corner Store look at the price of sugar at the same time.");
    for (minor, who) in [(4_600, "till 1"), (4_900, "till 2")] {
        let staff = town.corner.door_of_staff(who).await?;
        let edit = json!({
            "upon": seen["heads"],
            "variants": [{"id": sugar.variant, "price": {"minor": minor, "per": 1_000}}],
        });
        let answer = staff.ask(Method::PATCH, &path, Some(&edit)).await?;
        ensure!(answer.status.is_success(), "the edit was refused: {}", answer.body);
        story.say(&format!("Upon what it saw, {who} writes {}.00 rupees.", minor / 100));
    }
    let clashes = town.corner.door()?.list("/v1/catalogue/conflicts").await?;
    let clash = clashes
        .iter()
        .find(|clash| clash["product_id"] == json!(sugar.product))
        .context("the owner is shown no clash")?;
    let shown = clash.to_string();
    ensure!(
        shown.contains("4600") && shown.contains("4900"),
        "the owner is not shown both prices: {shown}"
    );
    story.say("Neither is dropped: the owner is shown 46 and 49 rupees, and who wrote which.");
    settle(town, clash).await?;
    story.say("The owner picks 46.");
    Ok(())
}

async fn settle(town: &Town, clash: &Value) -> anyhow::Result<()> {
    let id = clash["id"].as_str().context("a clash has an id")?;
    let path = format!("/v1/catalogue/conflicts/{id}");
    town.corner.door()?.post(&path, &json!({"price": {"minor": 4_600, "per": 1_000}})).await?;
    let left = town.corner.door()?.list("/v1/catalogue/conflicts").await?;
    ensure!(left.iter().all(|other| other["id"] != clash["id"]), "the clash is still there");
    Ok(())
}
