//! On which terms goods are handed over, through real programs: the fee is seen before it is signed,
//! a span of time fills up, and the customer's code ends it.

use anyhow::ensure;
use kirana_xtask::demo::{town::shop::text, wait::until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    street::{Street, reaches},
    thin_client::{reaches as is_there, signed_in},
};

fn rupees(n: u64) -> Value {
    json!({"minor": n * 100, "currency": "INR"})
}

/// Brings things for ₹15 from ₹50 on, one order in each of a day's two spans.
fn terms() -> Value {
    let window = |from: u16| {
        json!({
            "way": "delivery", "days": "Mo-Su", "from_min": from, "until_min": from + 120,
            "capacity": 1, "last_call_min": 30,
        })
    };
    let delivery = json!({"minimum": rupees(50), "fee": rupees(15), "free_from": rupees(400)});
    json!({
        "zone": "Asia/Kolkata", "delivery": delivery, "windows": [window(600), window(1_080)],
        "only_in_windows": true,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn p2_a_household_offline_sees_fee_and_times_and_the_shop_keeps_to_them() -> anyhow::Result<()>
{
    let street = Street::new().await?;
    let (shop, hub) = (&street.shop, &street.hub);
    let door = shop.door()?;
    let set = door.ask(Method::PUT, "/v1/terms", Some(&terms())).await?;
    ensure!(set.status == StatusCode::OK, "{}", set.body);
    hub.sign_up("meena", "Meena").await?;
    let phone = street.signed_in("phone", "Meena").await?;
    street.kirana("phone", &["address", "add", "home", "14 Second Cross"]).await?;
    let listed = until("the shop's terms", async || {
        phone.sync(None).await?;
        let seen = street.kirana("phone", &["slots", "--shop", &shop.id, "--days", "2"]).await?;
        Ok((seen["terms"] != Value::Null).then_some(seen))
    })
    .await?;
    let when = text(&listed["slots"][1], "when")?;

    // What it comes to is seen before anything is signed: two kilos at ₹64.
    let item = format!("{}=2kg", street.rice.variant);
    let place = ["order", "place", "--shop", &shop.id, "--item", &item, "--slot", &when];
    let seen = street.kirana("phone", &[&place[..], &["--preview"]].concat()).await?;
    let quote = &seen["orders"][0]["quote"];
    ensure!(quote["fee"]["amount"] == rupees(15), "{seen}");
    ensure!(quote["sum"]["minor"].as_i64() > quote["goods"]["minor"].as_i64(), "{seen}");
    ensure!(
        street.kirana("phone", &["order", "list"]).await?["orders"] == json!([]),
        "nothing yet"
    );
    let unsaid = street.kirana("phone", &place[..6]).await;
    ensure!(unsaid.is_err_and(|why| why.to_string().contains("choose one")), "a time is needed");

    let placed = street.kirana("phone", &place).await?;
    let order = text(&placed["orders"][0], "id")?;
    reaches(&phone, &order, "accepted").await?;
    let status = phone.status(&order).await?;
    ensure!(status["order"]["fee"]["amount"] == rupees(15), "{status}");
    let code = text(&status, "code")?;

    // The span is full now: the next household hears it from the shop.
    let second = text(&street.kirana("phone", &place).await?["orders"][0], "id")?;
    reaches(&phone, &second, "declined").await?;
    let declined = phone.status(&second).await?;
    ensure!(declined["order"]["stage"]["reason"] == "slot_full", "{declined}");

    for deed in ["packing", "packed", "dispatch"] {
        door.post(&format!("/v1/orders/{order}/{deed}"), &json!({})).await?;
    }
    let delivery = format!("/v1/orders/{order}/delivery");
    let wrong = if code.starts_with('0') { "111111" } else { "000000" };
    let refused = door.ask(Method::POST, &delivery, Some(&json!({"code": wrong}))).await?;
    ensure!(refused.status == StatusCode::CONFLICT, "{}", refused.body);
    door.post(&delivery, &json!({"code": code})).await?;
    let payment = json!({"amount": status["total"], "means": "cash"});
    door.post(&format!("/v1/orders/{order}/payments"), &payment).await?;
    reaches(&phone, &order, "completed").await?;
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_client_chooses_a_time_and_agrees_to_the_fee_that_it_was_quoted()
-> anyhow::Result<()> {
    let street = Street::new().await?;
    let Street { hub, shop, rice, .. } = &street;
    let set = shop.door()?.ask(Method::PUT, "/v1/terms", Some(&terms())).await?;
    ensure!(set.status == StatusCode::OK, "{}", set.body);
    hub.sign_up("meena", "Meena").await?;
    let meena = signed_in(hub, "meena").await?;
    let parts = json!({"label": "home", "text": "14 Second Cross"});
    meena.post("/v1/me/addresses", &parts).await?;
    let slots = format!("/v1/shops/{}/slots?days=2", shop.id);
    let slot = until("the shop's terms at the hub", async || {
        let answer = meena.ask(Method::GET, &slots, None).await?;
        let slot = answer.body["items"][1].clone();
        Ok((slot != Value::Null).then(|| json!({"from": slot["from"], "until": slot["until"]})))
    })
    .await?;
    let order = |slot: &Value| {
        let quantity = json!({"amount": 2_000, "unit": "g"});
        let line = json!({"variant_id": rice.variant, "quantity": quantity});
        json!({"shop_id": shop.id, "lines": [line], "slot": slot})
    };
    let quote = until("the shop's shelf at the hub", async || {
        let answer = meena.ask(Method::POST, "/v1/quotes", Some(&order(&slot))).await?;
        Ok((answer.status == StatusCode::OK).then_some(answer.body))
    })
    .await?;
    ensure!(quote["items"][0]["fee"]["amount"] == rupees(15), "{quote}");
    let unsaid = meena.ask(Method::POST, "/v1/orders", Some(&order(&Value::Null))).await?;
    ensure!(unsaid.status == StatusCode::CONFLICT, "{}", unsaid.body);
    let placed = meena.post("/v1/orders", &order(&slot)).await?;
    let id = text(&placed["orders"][0], "id")?;
    let seen = is_there(&meena, &id, "accepted").await?;
    ensure!(seen["total"] == quote["items"][0]["sum"], "{seen}");
    ensure!(seen["code"].as_str().is_some_and(|code| code.len() == 7), "{seen}");
    let full = meena.post("/v1/orders", &order(&slot)).await?;
    is_there(&meena, &text(&full["orders"][0], "id")?, "declined").await?;
    street.end().await
}
