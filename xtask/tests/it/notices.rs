//! Letters about orders for somebody without a device: real programs, letters as files.

use std::path::Path;

use anyhow::{Context, ensure};
use kirana_xtask::demo::{town::shop::text, wait::until};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{street::Street, thin_client::signed_in};

/// What lies in the hub's folder for letters.
fn letters(hub: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(hub.join("outbox")) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let finished = paths.filter(|path| path.extension().is_some_and(|kind| kind == "eml"));
    finished.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// Waits for a letter with these words.
async fn letter(hub: &Path, words: &str) -> anyhow::Result<String> {
    until(&format!("a letter with «{words}»"), async || {
        Ok(letters(hub).into_iter().find(|letter| letter.contains(words)))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_device_gets_the_letters_about_its_orders_that_it_asked_for()
-> anyhow::Result<()> {
    let street = Street::new().await?;
    let Street { hub, shop, rice, .. } = &street;
    let folder = street.home("hub");
    hub.sign_up("meena@example.org", "Meena").await?;
    let meena = signed_in(hub, "meena@example.org").await?;
    let wanted = json!({"mail": true});
    let early = meena.ask(Method::PUT, "/v1/me/notices", Some(&wanted)).await?;
    ensure!(early.status == StatusCode::CONFLICT, "{}", early.body);
    meena.ask(Method::POST, "/v1/me/email/confirmation", None).await?;
    let confirm = letter(&folder, "confirms your email").await?;
    let mut words = confirm.split_whitespace();
    let is_code = |word: &&str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit());
    let code = json!({"code": words.find(is_code).context("a code")?});
    meena.ask(Method::POST, "/v1/me/email/confirmation/confirm", Some(&code)).await?;
    let turned_on = meena.ask(Method::PUT, "/v1/me/notices", Some(&wanted)).await?;
    ensure!(turned_on.status == StatusCode::OK, "{}", turned_on.body);

    let line = json!({"variant_id": rice.variant, "quantity": {"amount": 500, "unit": "g"}});
    let order = json!({"shop_id": shop.id, "lines": [line], "pickup": true});
    let placed = until("the shop's shelf at the hub", async || {
        let answer = meena.ask(Method::POST, "/v1/orders", Some(&order)).await?;
        Ok((answer.status == StatusCode::CREATED).then_some(answer.body))
    })
    .await?;
    let order = text(&placed["orders"][0], "id")?;
    let taken = letter(&folder, "The shop takes your order").await?;
    ensure!(taken.contains("To: meena@example.org") && taken.contains("Corner Store"), "{taken}");
    ensure!(!taken.to_lowercase().contains("rice"), "goods are no matter of letters: {taken}");
    shop.hand_over(&order).await?;
    letter(&folder, "Your order was handed over").await?;
    let accepted = letters(&folder).iter().filter(|l| l.contains("takes your order")).count();
    ensure!(accepted == 1, "each news once, not {accepted} times");
    let off = meena.ask(Method::PUT, "/v1/me/notices", Some(&json!({"mail": false}))).await?;
    ensure!(off.body["mail"] == false && meena.get("/v1/me/notices").await?["mail"] == false);
    street.end().await
}
