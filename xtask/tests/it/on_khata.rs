//! The credit book through real programs: on khata, charged, countersigned, paid in part, on paper.

use anyhow::ensure;
use kirana_xtask::demo::wait::until;
use serde_json::{Value, json};

use crate::street::{Street, reaches};

fn rupees(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "INR" })
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_both_sides_hold_the_same_book_from_the_first_order_to_the_statement()
-> anyhow::Result<()> {
    let street = Street::new().await?;
    let shop = &street.shop;
    street.hub.sign_up("meena", "Meena").await?;
    let phone = street.signed_in("phone", "Meena").await?;
    let rice = shop.find("Sona Masoori rice").await?;
    // Before there is a book, nothing is sold on credit; the order makes the shop know the account.
    let item = format!("{}=1kg", rice.variant);
    let place = ["order", "place", "--shop", &shop.id, "--item", &item, "--pay", "khata"];
    let placed = street.kirana("phone", &place).await?;
    let first = placed["orders"][0]["id"].as_str().unwrap_or_default().to_owned();
    reaches(&phone, &first, "declined").await?;
    let door = shop.door()?;
    let seen = door.get(&format!("/v1/orders/{first}")).await?;
    ensure!(seen["stage"]["reason"] == "no_khata", "{seen}");
    let customer = seen["customer"].as_str().unwrap_or_default();
    let account = customer.trim_start_matches("account ").to_owned();

    let opening = json!({ "account": account, "limit": rupees(10_000), "opening": rupees(1_500) });
    let book = door.post("/v1/khata", &opening).await?;
    let path = format!("/v1/khata/{account}");
    let placed = street.kirana("phone", &place).await?;
    let order = placed["orders"][0]["id"].as_str().unwrap_or_default().to_owned();
    reaches(&phone, &order, "accepted").await?;
    ensure!(door.get(&path).await?["held"] == rupees(6_400), "₹64.00 are kept free");
    for deed in ["packing", "packed", "ready", "collection"] {
        door.post(&format!("/v1/orders/{order}/{deed}"), &json!({})).await?;
    }
    reaches(&phone, &order, "completed").await?;
    let owes = async |minor: i64, what: &str| {
        until(what, async || {
            phone.sync(None).await?;
            let seen = street.kirana("phone", &["khata"]).await?;
            Ok((seen["khatas"][0]["balance"] == rupees(minor)).then_some(seen))
        })
        .await
    };
    let seen = owes(7_900, "the charge").await?;
    ensure!(seen["khatas"][0]["id"] == book["id"], "{seen}");
    // What has no room is declined by name.
    let more = street.kirana("phone", &place).await?;
    let more = more["orders"][0]["id"].as_str().unwrap_or_default().to_owned();
    reaches(&phone, &more, "declined").await?;

    street.kirana("phone", &["khata", "countersign"]).await?;
    let signed = until("the countersignature", async || {
        phone.sync(None).await?;
        let seen = door.get(&path).await?;
        Ok(seen["countersigned"]["at"].is_string().then_some(seen))
    })
    .await?;
    ensure!(signed["countersigned"]["balance"] == rupees(7_900), "{signed}");
    let pay = json!({ "amount": rupees(4_000), "means": "upi" });
    door.post(&format!("{path}/payments"), &pay).await?;
    let seen = owes(3_900, "the part-payment").await?;
    let entries = seen["khatas"][0]["entries"].as_array().map_or(0, Vec::len);
    ensure!(entries == 4, "{seen}");
    street.kirana("phone", &["khata", "dispute", "I paid 50"]).await?;
    until("the dispute", async || {
        phone.sync(None).await?;
        let seen = door.get(&path).await?;
        let last = seen["entries"].as_array().and_then(|entries| entries.last().cloned());
        Ok(last.filter(|entry| entry["words"] == "I paid 50"))
    })
    .await?;
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.kirana("phone", &["verify"]).await?;
    street.end().await
}
