//! Somebody without a device of their own orders through the hub's HTTP alone: real programs.

use anyhow::{Context, ensure};
use kirana_xtask::demo::{
    door::{self, Door},
    town::{household::PASSWORD, hub::Hub, shop::text},
    wait::until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::street::Street;

pub async fn signed_in(hub: &Hub, login: &str) -> anyhow::Result<Door> {
    let door = Door::new(&door::client()?, &hub.url());
    let session = json!({"login": login, "password": PASSWORD});
    let signed_in = door.post("/v1/sessions", &session).await?;
    Ok(door.with_token(&text(&signed_in, "access_token")?))
}

/// Asks until an order is at some stage.
pub async fn reaches(door: &Door, order: &str, stage: &str) -> anyhow::Result<Value> {
    until(&format!("the order {order} to be {stage}"), async || {
        let seen = door.get(&format!("/v1/orders/{order}")).await?;
        Ok((seen["stage"] == stage).then_some(seen))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_p6_an_account_without_a_device_orders_through_the_hub_and_nobody_else_sees_it()
-> anyhow::Result<()> {
    let street = Street::new().await?;
    let Street { hub, shop, rice, .. } = &street;
    for (login, name) in [("meena", "Meena"), ("ravi", "Ravi")] {
        hub.sign_up(login, name).await?;
    }
    let (meena, ravi) = (signed_in(hub, "meena").await?, signed_in(hub, "ravi").await?);
    ensure!(meena.get("/v1/me").await?["hosted"] == true, "she has no device");

    let parts = json!({
        "label": "home", "text": "14 Second Cross", "city": "Bengaluru", "postcode": "560001",
        "country": "IN", "position": "12.9716,77.5946",
    });
    let home = text(&meena.post("/v1/me/addresses", &parts).await?, "id")?;
    let all = meena.list("/v1/me/addresses").await?;
    ensure!(all.len() == 1 && all[0]["is_default"] == true, "the first is the usual one: {all:?}");
    let cart = text(&meena.post("/v1/me/carts", &json!({"name": "weekly"})).await?, "id")?;
    let lines = format!("/v1/me/carts/{cart}/lines");
    let line = json!({
        "shop_id": shop.id, "variant_id": rice.variant, "quantity": {"amount": 500, "unit": "g"},
    });
    until("the shop's shelf at the hub", async || {
        let answer = meena.ask(Method::POST, &lines, Some(&line)).await?;
        Ok((answer.status == StatusCode::CREATED).then_some(()))
    })
    .await?;
    let once = meena.with_key("one more");
    for _ in 0..2 {
        let twice = once.post(&lines, &line).await?;
        ensure!(twice["lines"][0]["quantity"]["amount"] == 1_000, "once each: {twice}");
    }
    let set = json!({"quantity": {"amount": 1_500, "unit": "g"}});
    let one = format!("{lines}/{}", rice.variant);
    let changed = meena.ask(Method::PATCH, &one, Some(&set)).await?.body;
    ensure!(changed["lines"][0]["quantity"]["amount"] == 1_500, "it is set: {changed}");
    ensure!(changed["sums"][0] == changed["lines"][0]["sum"], "{changed}");

    // What is hers is not there for anybody else.
    let addresses = format!("/v1/me/addresses/{home}");
    for path in [&addresses, &format!("/v1/me/carts/{cart}"), &lines] {
        let answer = ravi.ask(Method::GET, path, None).await?;
        ensure!(answer.status == StatusCode::NOT_FOUND, "{path}: {}", answer.body);
    }
    let stolen = ravi.ask(Method::POST, "/v1/orders", Some(&json!({"cart_id": cart}))).await?;
    ensure!(stolen.status == StatusCode::NOT_FOUND, "{}", stolen.body);

    let order = json!({"cart_id": cart, "note": "the dog is harmless"});
    let placed = meena.post("/v1/orders", &order).await?;
    let order = text(&placed["orders"][0], "id")?;
    ensure!(meena.get(&format!("/v1/me/carts/{cart}")).await?["lines"] == json!([]), "emptied");
    let seen = reaches(&meena, &order, "accepted").await?;
    ensure!(seen["order"]["lines"][0]["state"]["amount"] == 1_500, "{seen}");
    let at_the_shop = shop.door()?.get(&format!("/v1/orders/{order}")).await?;
    let address = &at_the_shop["personal"]["address"];
    ensure!(*address == "14 Second Cross, Bengaluru 560001, IN", "{at_the_shop}");
    ensure!(at_the_shop["personal"]["name"] == "Meena", "{at_the_shop}");
    let unseen = ravi.ask(Method::GET, &format!("/v1/orders/{order}"), None).await?;
    ensure!(unseen.status == StatusCode::NOT_FOUND, "{}", unseen.body);

    let fewer = json!({"amounts": [{"line": 0, "amount": 1_000}]});
    meena.post(&format!("/v1/orders/{order}/changes"), &fewer).await?;
    until("the change", async || {
        let seen = meena.get(&format!("/v1/orders/{order}")).await?;
        Ok((seen["order"]["lines"][0]["state"]["amount"] == 1_000).then_some(()))
    })
    .await?;
    shop.hand_over(&order).await?;
    reaches(&meena, &order, "completed").await?;
    let again =
        meena.post(&format!("/v1/orders/{order}/reorder"), &json!({"pickup": true})).await?;
    reaches(&meena, &text(&again["orders"][0], "id")?, "accepted").await?;
    let opened = meena.get("/v1/home").await?;
    ensure!(opened["orders"].as_array().context("orders")?.len() == 1, "one is open: {opened}");
    ensure!(opened["profile"]["name"] == "Meena" && opened["shops"][0]["id"] == shop.id.as_str());
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_the_same_checkout_again_is_one_order_and_another_one_under_its_key_is_refused()
-> anyhow::Result<()> {
    let street = Street::new().await?;
    let Street { hub, shop, rice, .. } = &street;
    hub.sign_up("meena", "Meena").await?;
    let meena = signed_in(hub, "meena").await?.with_key("monday");
    let order = |amount: u64| {
        let quantity = json!({"amount": amount, "unit": "g"});
        let line = json!({"variant_id": rice.variant, "quantity": quantity});
        json!({"shop_id": shop.id, "lines": [line], "pickup": true})
    };
    let first = until("the shop's shelf at the hub", async || {
        let answer = meena.ask(Method::POST, "/v1/orders", Some(&order(500))).await?;
        Ok((answer.status == StatusCode::CREATED).then_some(answer.body))
    })
    .await?;
    let again = meena.post("/v1/orders", &order(500)).await?;
    ensure!(first["orders"][0]["id"] == again["orders"][0]["id"], "{first} {again}");
    let other = meena.ask(Method::POST, "/v1/orders", Some(&order(1_000))).await?;
    ensure!(other.status == StatusCode::UNPROCESSABLE_ENTITY, "{}", other.body);
    ensure!(meena.list("/v1/orders").await?.len() == 1, "one order");
    for (broken, status) in [
        (order(0), StatusCode::UNPROCESSABLE_ENTITY),
        (order(7), StatusCode::CONFLICT),
        (json!({"shop_id": shop.id, "lines": []}), StatusCode::CONFLICT),
        (json!({"cart_id": shop.id}), StatusCode::NOT_FOUND),
    ] {
        let door = signed_in(hub, "meena").await?;
        let answer = door.ask(Method::POST, "/v1/orders", Some(&broken)).await?;
        ensure!(answer.status == status, "{broken}: {}", answer.body);
    }
    street.end().await
}
