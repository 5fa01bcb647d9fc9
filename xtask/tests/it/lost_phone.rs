//! A household loses its phone: real programs, two households, a hub, and a shop that stays open.

use std::path::Path;

use anyhow::ensure;
use kirana_core::certificate::UnverifiedCertificate;
use kirana_customer::{app::session::RENEWED_AFTER_MS, clock};
use kirana_xtask::demo::{
    door::{self, Door},
    town::{
        household::{Household, PASSWORD},
        hub::Hub,
        shop::text,
    },
    wait::until,
};
use serde_json::json;

use crate::street::{Street, reaches};

/// Shuts a device of an account out, as its owner does on any screen.
async fn revoke(hub: &Hub, login: &str, device: &str) -> anyhow::Result<()> {
    let door = Door::new(&door::client()?, &hub.url());
    let session = json!({"login": login, "password": PASSWORD});
    let signed_in = door.post("/v1/sessions", &session).await?;
    let door = door.with_token(&text(&signed_in, "access_token")?);
    let gone = door.ask(reqwest::Method::DELETE, &format!("/v1/devices/{device}"), None).await?;
    ensure!(gone.status.is_success(), "the hub answered {}: {}", gone.status, gone.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_lost_phone_is_replaced_and_the_thief_orders_nothing() -> anyhow::Result<()> {
    let street = Street::new().await?;
    let Street { hub, shop, .. } = &street;
    for (login, name) in [("meena", "Meena"), ("ravi", "Ravi")] {
        hub.sign_up(login, name).await?;
    }
    let lost = street.signed_in("lost", "Meena").await?;
    let neighbour = street.signed_in("neighbour", "Ravi").await?;
    let (before, next_door) = (street.order(&lost).await?, street.order(&neighbour).await?);
    reaches(&lost, &before, "accepted").await?;
    reaches(&neighbour, &next_door, "accepted").await?;

    // The phone is gone. A new one signs in, and the shop knows her by another one: it asks.
    let phone = street.signed_in("phone", "Meena").await?;
    let first = street.order(&phone).await?;
    reaches(&phone, &first, "received").await?;
    ensure!(phone.stage(&before).await.is_err(), "nobody vouched for the new phone yet");
    revoke(hub, "meena", &street.device("lost").await?).await?;
    // Somebody in the shop knows her voice; from then on the phone hears of her open orders.
    ensure!(shop.accept_waiting().await? == 1, "one order waits for a person");
    reaches(&phone, &first, "accepted").await?;
    reaches(&phone, &before, "accepted").await?;
    ensure!(phone.stage(&next_door).await.is_err(), "the neighbour's order is not hers");

    // One sync of the new phone brought the shop the hub's word on the old one.
    let stolen = street.order(&lost).await?;
    lost.sync(None).await?;
    ensure!(!shop.orders().await?.contains(&stolen), "the thief's order was taken");
    ensure!(lost.stage(&stolen).await? == "placed", "{}", lost.status(&stolen).await?);
    // The others go on, and so does the order of before.
    let later = street.order(&neighbour).await?;
    reaches(&neighbour, &later, "accepted").await?;
    shop.hand_over(&before).await?;
    reaches(&phone, &before, "completed").await?;
    ensure!(shop.verify().await?.status.success(), "the shop's books hold");
    street.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_second_phone_knows_shops_and_orders_by_pictures_and_a_snapshot() -> anyhow::Result<()>
{
    let street = Street::new().await?;
    let Street { hub, shop, .. } = &street;
    hub.sign_up("meena", "Meena").await?;
    let first = street.signed_in("first", "Meena").await?;
    let order = street.order(&first).await?;
    reaches(&first, &order, "accepted").await?;

    let file = |name: &str| street.home(name).to_string_lossy().into_owned();
    let (asked, answer, snapshot) = (file("asked.png"), file("answer.png"), file("snapshot"));
    let home = street.home("second");
    let second = Household::found(&street.programs, Path::new(&home), "Meena", None).await?;
    let shown = street.kirana("second", &["device", "show", "--qr-file", &asked]).await?;
    let digits = text(&shown, "compare")?;
    let add = ["device", "add", "--from-picture", &asked, "--compare", &digits];
    let more = ["--qr-file", &answer, "--snapshot", &snapshot];
    street.kirana("first", &[&add[..], &more].concat()).await?;
    let import = ["device", "import", "--from-picture", &answer, "--snapshot", &snapshot];
    street.kirana("second", &import).await?;
    let shops = street.kirana("second", &["shops"]).await?;
    ensure!(shops["items"][0]["id"] == shop.id.as_str(), "the shop came along: {shops}");
    // It need not order anything: the shop that knows the first one tells the second what is open.
    reaches(&second, &order, "accepted").await?;
    street.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_another_one_let_in_is_renewed_without_a_password() -> anyhow::Result<()> {
    let street = Street::new().await?;
    street.hub.sign_up("meena", "Meena").await?;
    street.signed_in("first", "Meena").await?;
    let (home, url) = (street.home("second"), street.hub.url());
    let second = Household::found(&street.programs, &home, "Meena", Some(&url)).await?;
    // As if that had been two months ago: nobody signed in on it, and nobody types a password.
    let (then, mut rng) = (clock::now().minus_ms(RENEWED_AFTER_MS + 60_000), clock::rng());
    let asked = street.opened("second")?.ask_to_be_let_in();
    let answer = street.opened("first")?.let_in(&asked, then, &mut rng)?;
    street.opened("second")?.be_let_in(&answer)?;
    let before = street.opened("second")?.certificates();
    second.sync(None).await?;
    let renewed = street.opened("second")?;
    let leaf = UnverifiedCertificate::parse(&renewed.certificates()[0])?;
    ensure!(renewed.certificates() != before, "its certificate is the old one");
    ensure!(leaf.claimed().not_before > then && leaf.claimed().key == asked.enrolment.key);
    street.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_hears_at_once_that_a_shop_closes_down_or_opens_again() -> anyhow::Result<()> {
    let street = Street::new().await?;
    let Street { hub, shop, .. } = &street;
    let door = Door::new(&door::client()?, &hub.url());
    let own = shop.door()?;
    let path = format!("/v1/shops/{}", shop.id);
    for (method, closes) in [(reqwest::Method::PUT, true), (reqwest::Method::DELETE, false)] {
        let answer = own.ask(method, "/v1/closing", None).await?;
        ensure!(answer.status.is_success(), "{}", answer.body);
        until("the hub to show it", async || {
            let seen = door.get(&path).await?;
            Ok((seen["closing_since"].is_string() == closes).then_some(()))
        })
        .await?;
    }
    street.end().await
}
