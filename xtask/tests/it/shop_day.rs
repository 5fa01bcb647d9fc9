//! A shop's day through real programs: the queue, the shelves, the courier, the bank, and a call.

use anyhow::{Context, ensure};
use kirana_xtask::demo::town::shop::text;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::street::{Street, reaches};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_from_the_queue_to_the_door_and_its_payment_comes_from_the_bank()
-> anyhow::Result<()> {
    let street = Street::new().await?;
    let (shop, hub) = (&street.shop, &street.hub);
    let door = shop.door()?;
    let upi = json!({"address": "corner@okbank", "name": "Corner Store"});
    let terms = json!({"delivery": {}, "upi": upi});
    let set = door.ask(Method::PUT, "/v1/terms", Some(&terms)).await?;
    ensure!(set.status == StatusCode::OK, "{}", set.body);
    hub.sign_up("meena", "Meena").await?;
    let phone = street.signed_in("phone", "Meena").await?;
    street.kirana("phone", &["address", "add", "home", "14 Second Cross"]).await?;
    let item = format!("{}=2kg", street.rice.variant);
    let place = ["order", "place", "--shop", &shop.id, "--item", &item];
    let order = text(&street.kirana("phone", &place).await?["orders"][0], "id")?;
    reaches(&phone, &order, "accepted").await?;

    let queue = door.list("/v1/queue").await?;
    ensure!(queue.len() == 1 && queue[0]["id"] == order.as_str(), "{queue:?}");
    let picks = door.list("/v1/picking").await?;
    ensure!(picks[0]["amount"] == 2_000 && picks[0]["orders"][0]["id"] == order.as_str());
    ensure!(door.list("/v1/deliveries").await?.is_empty(), "nothing is out");
    for deed in ["packing", "packed", "dispatch"] {
        door.post(&format!("/v1/orders/{order}/{deed}"), &json!({})).await?;
    }
    ensure!(door.list("/v1/picking").await?.is_empty(), "it is packed");
    let stops = door.list("/v1/deliveries").await?;
    let stop = &stops[0];
    ensure!(stop["name"] == "Meena" && stop["address"] == "14 Second Cross", "{stop}");
    let due = stop["due"]["minor"].as_u64().context("what is to pay")?;
    let sum = format!("{}.{:02}", due / 100, due % 100);
    let left = json!({"proof": "neighbour"});
    door.post(&format!("/v1/orders/{order}/delivery"), &left).await?;
    phone.sync(None).await?;

    // She pays by UPI, and the bank's statement says so in the evening.
    let link = text(&street.kirana("phone", &["order", "pay", &order]).await?, "link")?;
    ensure!(
        link.starts_with("upi://pay?pa=corner@okbank&") && link.contains(&format!("&am={sum}&")),
        "{link}"
    );
    let list = door.get("/v1/payments/reconciliation").await?;
    ensure!(list["unpaid"][0]["minor"] == due, "{list}");
    let reference = order.replace('-', "");
    let lines = format!(
        "Date,Narration,Ref No,Deposit\n27/11/2026,UPI/{reference}/okaxis,612345,{sum}\n\
         27/11/2026,RENT,612346,5000.00\n"
    );
    for paid in [1, 0] {
        let read = door.hand_in("/v1/payments/statements", lines.clone().into_bytes()).await?;
        let report: Value = serde_json::from_slice(&read.1)?;
        ensure!(read.0 == StatusCode::OK && report["paid"] == paid, "{report}");
    }
    reaches(&phone, &order, "completed").await?;
    let list = door.get("/v1/payments/reconciliation").await?;
    ensure!(list["unpaid"] == json!([]), "{list}");
    let line = list["open_lines"][0]["n"].clone();
    let aside = json!({"aside": "the back room"});
    let set =
        door.ask(Method::PUT, &format!("/v1/payments/bank-lines/{line}"), Some(&aside)).await?;
    ensure!(set.status == StatusCode::OK, "{}", set.body);

    // Somebody without a device phones.
    let call = json!({
        "person": {"name": "Asha", "phone": "98450 11111", "address": "3 Temple Street"},
        "lines": [{"variant_id": street.rice.variant, "amount": 500}], "pickup": true,
    });
    let called = door.post("/v1/calls", &call).await?;
    ensure!(called["stage"]["stage"] == "accepted" || called["order"]["stage"] != Value::Null);
    let callers = door.list("/v1/callers?q=asha").await?;
    ensure!(callers.len() == 1 && callers[0]["id"] == called["caller_id"], "{callers:?}");
    let stranger = door.ask(Method::POST, "/v1/calls", Some(&json!({"lines": []}))).await?;
    ensure!(stranger.status.is_client_error(), "{}", stranger.body);
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.end().await
}
