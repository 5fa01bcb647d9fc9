//! What happens to an order after it was placed, through real programs: it is changed, something else
//! comes, it is complained about, and the money is right at the end.

use anyhow::{Context, ensure};
use kirana_xtask::demo::{town::household::Household, wait::until};
use serde_json::{Value, json};

use crate::street::{Street, reaches};

/// Syncs until what the household sees of an order is as it should be.
async fn shows(
    device: &Household,
    order: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    until(what, async || {
        device.sync(None).await?;
        let seen = device.status(order).await?;
        Ok(is_so(&seen).then_some(seen))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_changes_substitutes_and_complaints_travel_and_the_sums_agree() -> anyhow::Result<()> {
    let street = Street::new().await?;
    let shop = &street.shop;
    street.hub.sign_up("meena", "Meena").await?;
    let phone = street.signed_in("phone", "Meena").await?;
    let (rice, brown) = (shop.find("Sona Masoori rice").await?, shop.find("Brown rice").await?);
    let order = phone.order(shop, &[(&rice, 1_000)]).await?;
    reaches(&phone, &order, "accepted").await?;

    // Two kilos rather than one: ₹64.00 a kilo.
    street.kirana("phone", &["order", "change", &order, "--set", "1=2kg"]).await?;
    let seen = shows(&phone, &order, "the change", |seen| seen["total"]["minor"] == 12_800).await?;
    ensure!(seen["order"]["lines"][0]["state"]["amount"] == 2_000, "{seen}");

    // There is none on the shelf; the packer asks whether brown rice may come: ₹92.00 a kilo.
    let door = shop.door()?;
    door.post(&format!("/v1/orders/{order}/packing"), &json!({})).await?;
    let swap = json!({"line": 0, "variant_id": brown.variant, "amount": 1_000});
    let question = json!({"swaps": [swap], "minutes": 60});
    door.post(&format!("/v1/orders/{order}/question"), &question).await?;
    let asked = |seen: &Value| seen["order"]["groups"][0]["fulfilment"] == "awaiting_answer";
    shows(&phone, &order, "the question", asked).await?;
    street.kirana("phone", &["order", "approve", &order, "1"]).await?;
    let comes = |seen: &Value| seen["total"]["minor"] == 9_200;
    let seen = shows(&phone, &order, "the answer", comes).await?;
    ensure!(seen["order"]["lines"][0]["substitute"]["variant"] == brown.variant.as_str(), "{seen}");

    for deed in ["packed", "ready", "collection"] {
        door.post(&format!("/v1/orders/{order}/{deed}"), &json!({})).await?;
    }
    let payment = json!({"amount": {"minor": 9_200, "currency": "INR"}, "means": "upi"});
    door.post(&format!("/v1/orders/{order}/payments"), &payment).await?;
    reaches(&phone, &order, "completed").await?;

    let words = "There are weevils in it";
    let photo = street.home("weevils.png");
    std::fs::write(&photo, RED_SQUARE)?;
    let photo = photo.to_str().context("a path")?;
    let complaint = ["order", "complain", &order, words, "--about", "faulty", "--photo", photo];
    street.kirana("phone", &complaint).await?;
    until("the complaint to be heard", async || {
        phone.sync(None).await?;
        let seen = door.get(&format!("/v1/orders/{order}")).await?;
        let photo = &seen["messages"][0]["photo"];
        Ok((seen["messages"][0]["says"] == words && photo.is_string()).then_some(()))
    })
    .await?;
    let half = json!({"minor": 4_600, "currency": "INR"});
    let answer = json!({"message": "Half of it back?", "remedy": "refund", "amount": half});
    door.post(&format!("/v1/orders/{order}/complaint"), &answer).await?;
    let answered = |seen: &Value| seen["messages"][1]["says"] == "Half of it back?";
    shows(&phone, &order, "the shop's words", answered).await?;
    street.kirana("phone", &["order", "complain", &order, "--accept"]).await?;
    let settled = |seen: &Value| seen["order"]["complaint"]["complaint"] == "settled";
    shows(&phone, &order, "the end of it", settled).await?;
    let refund = json!({"amount": half, "means": "upi"});
    let seen = door.post(&format!("/v1/orders/{order}/refunds"), &refund).await?;
    ensure!(seen["totals"]["due"]["minor"] == 0, "{seen}");
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.end().await
}

/// A PNG of 4 x 4 points.
#[rustfmt::skip]
const RED_SQUARE: [u8; 73] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x04, 0x08, 0x02, 0x00, 0x00,
    0x00, 0x26, 0x93, 0x09, 0x29, 0x00, 0x00, 0x00, 0x10, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x38, 0x21, 0x27, 0x07, 0x47, 0x0c, 0xc4, 0x71, 0x00, 0xb1, 0x63, 0x10,
    0x41, 0xd3, 0x4a, 0xcc, 0x0d, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae,
    0x42, 0x60, 0x82
];
