//! The credit book through real programs: on khata, charged, countersigned, paid in part, on paper.

use anyhow::{Context, ensure};
use kirana_xtask::demo::{door::Door, town::shop::text, wait::until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    street::{Street, reaches},
    thin_client::{reaches as at_stage, signed_in},
};

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

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_thin_client_reads_signs_and_disputes_its_own_book_and_no_other() -> anyhow::Result<()>
{
    let street = Street::new().await?;
    let Street { hub, shop, .. } = &street;
    for (login, name) in [("meena", "Meena"), ("ravi", "Ravi")] {
        hub.sign_up(login, name).await?;
    }
    let (meena, ravi) = (signed_in(hub, "meena").await?, signed_in(hub, "ravi").await?);
    ensure!(meena.list("/v1/me/khata").await?.is_empty(), "nobody trusts her yet");
    let (book, order, owed) = charged(&street, &meena).await?;
    let door = shop.door()?;
    let path = format!("/v1/me/khata/{book}");
    let owes = async |minor: i64, what: &str| {
        until(what, async || {
            let answer = meena.ask(Method::GET, &path, None).await?;
            let owes = answer.body["khata"]["balance"] == rupees(minor);
            Ok(owes.then_some(answer.body))
        })
        .await
    };
    let seen = owes(owed, "the charge").await?;
    ensure!(seen["entries"][1]["order"] == order.as_str(), "{seen}");
    let listed = meena.list("/v1/me/khata").await?;
    ensure!(listed.len() == 1 && listed[0]["shop_id"] == shop.id.as_str(), "{listed:?}");
    for (method, rest) in
        [(Method::GET, ""), (Method::POST, "/countersignature"), (Method::POST, "/disputes")]
    {
        let body = (method == Method::POST).then(|| json!({}));
        let answer = ravi.ask(method, &format!("{path}{rest}"), body.as_ref()).await?;
        ensure!(answer.status == StatusCode::NOT_FOUND, "{rest}: {}", answer.body);
    }
    ensure!(ravi.list("/v1/me/khata").await?.is_empty(), "he has none");

    let once = meena.with_key("sign it");
    for _ in 0..2 {
        once.post(&format!("{path}/countersignature"), &json!({})).await?;
    }
    let at_shop = format!("/v1/khata/{book}");
    let signed = until("the countersignature", async || {
        let seen = door.get(&at_shop).await?;
        Ok(seen["countersigned"]["at"].is_string().then_some(seen))
    })
    .await?;
    ensure!(signed["countersigned"]["is_newest"] == true, "{signed}");
    until("the shop's word about it", async || {
        let seen = meena.get(&path).await?;
        Ok((seen["khata"]["countersigned"]["is_newest"] == true).then_some(()))
    })
    .await?;
    let sign = format!("{path}/countersignature");
    let again = meena.ask(Method::POST, &sign, Some(&json!({}))).await?;
    ensure!(again.status == StatusCode::CONFLICT, "there is nothing new to sign");
    let pay = json!({ "amount": rupees(1_000), "means": "upi" });
    door.post(&format!("{at_shop}/payments"), &pay).await?;
    owes(owed - 1_000, "the part-payment").await?;
    let says = json!({ "message": "I paid 50", "entry": 1 });
    meena.post(&format!("{path}/disputes"), &says).await?;
    until("the dispute", async || {
        let seen = door.get(&at_shop).await?;
        let last = seen["entries"].as_array().and_then(|entries| entries.last().cloned());
        Ok(last.filter(|entry| entry["words"] == "I paid 50"))
    })
    .await?;
    let beyond = json!({ "entry": 99 });
    let far = meena.ask(Method::POST, &format!("{path}/disputes"), Some(&beyond)).await?;
    ensure!(far.status == StatusCode::CONFLICT, "there is no such entry");
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.end().await
}

/// A hosted account orders on khata, gets a book, orders again and fetches it: the book, the order, and
/// what is owed.
async fn charged(street: &Street, meena: &Door) -> anyhow::Result<(String, String, i64)> {
    let Street { shop, rice, .. } = street;
    let quantity = json!({ "amount": 1_000, "unit": "g" });
    let line = json!({ "variant_id": rice.variant, "quantity": quantity });
    let order =
        json!({ "shop_id": shop.id, "lines": [line], "pickup": true, "payment": "on_khata" });
    let first = until("the shop's shelf at the hub", async || {
        let answer = meena.ask(Method::POST, "/v1/orders", Some(&order)).await?;
        Ok((answer.status == StatusCode::CREATED).then_some(answer.body))
    })
    .await?;
    let first = text(&first["orders"][0], "id")?;
    // There is no book yet.
    at_stage(meena, &first, "declined").await?;
    let door = shop.door()?;
    let seen = door.get(&format!("/v1/orders/{first}")).await?;
    let account = text(&seen, "customer")?.trim_start_matches("account ").to_owned();
    let opening = json!({ "account": account, "limit": rupees(100_000), "opening": rupees(1_500) });
    let book = text(&door.post("/v1/khata", &opening).await?, "id")?;
    let placed = meena.post("/v1/orders", &order).await?;
    let order = text(&placed["orders"][0], "id")?;
    let seen = at_stage(meena, &order, "accepted").await?;
    let total = seen["total"]["minor"].as_i64().context("a sum")?;
    for deed in ["packing", "packed", "ready", "collection"] {
        door.post(&format!("/v1/orders/{order}/{deed}"), &json!({})).await?;
    }
    Ok((book, order, 1_500 + total))
}
