//! What operators do on the console's pages, and what stays closed to them.

use kirana_core::{
    cbor,
    id::ShopId,
    key::{KeyId, KeyPair},
    mail::Address,
    time::UnixMs,
};
use kirana_hub::clock;
use kirana_migrations::rusqlite::params;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    console::{Browser, between, database, hub, operator},
    door::{account, keys},
    program::{PASSWORD, Running, program, send, text},
};

const SCRIPT: &str = "<script>alert(1)</script>";

/// Makes an account by the console and gives its address there.
async fn make(admin: &mut Browser<'_>, login: &str, name: &str, role: &str) -> String {
    let page = admin.get("/console/accounts/new").await;
    let typed = [("login", login), ("name", name), ("password", PASSWORD), ("role", role)];
    let made = admin.post("/console/accounts", &page, &typed).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.html);
    let to = made.header("location").split('?').next().expect("an address").to_owned();
    assert!(to.starts_with("/console/accounts/"), "{to}");
    to
}

/// A shop that waits for an answer: its id, and its owner's token.
async fn applied(hub: &Running, name: &str) -> (ShopId, String) {
    let (token, id) = account(hub, "owner").await;
    let shop = ShopId::new(UnixMs::new(1_790_000_000_000), [3; 10]);
    let body = json!({
        "id": shop.to_string(), "name": name, "place": "12.9716,77.5946",
        "owner": keys(&KeyPair::from_seed([7; 64]), id, Some(shop)),
    });
    let (status, applied) = send(hub.post("/v1/shops", &body).bearer_auth(&token)).await;
    assert_eq!((status, text(&applied, "state")), (StatusCode::CREATED, "applied"));
    (shop, token)
}

#[tokio::test]
async fn p6_every_page_is_for_operators_and_what_names_people_for_administrators() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let account = make(&mut admin, "asha@example.org", "Asha Rao", "customer").await;
    make(&mut admin, "meera", "Meera Nair", "hub_operator").await;
    let (shop, _) = applied(&hub, "Corner").await;
    let pages = [
        "/console/accounts".to_owned(),
        account.clone(),
        "/console/shops".to_owned(),
        format!("/console/shops/{shop}"),
        "/console/hubs".to_owned(),
        "/console/queues".to_owned(),
        "/console/policies".to_owned(),
    ];
    let closed = [
        "/console/audit".to_owned(),
        "/console/audit?check=all".to_owned(),
        "/console/accounts?q=asha".to_owned(),
    ];
    let mut meera = Browser::new(&hub);
    meera.enrol("meera").await;
    let mut stranger = Browser::new(&hub);
    for page in pages.iter().chain(&closed) {
        let shown = admin.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}: {}", shown.html);
        assert!(shown.html.contains("<h1") && shown.html.contains("aria-current"), "{page}");
        let shown = stranger.get(page).await;
        assert_eq!((shown.status, shown.header("location")), (StatusCode::SEE_OTHER, "/console/"));
    }
    for page in &pages {
        let shown = meera.get(page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}: {}", shown.html);
        assert!(!shown.html.contains("asha@") && !shown.html.contains("Asha Rao"), "{page}");
    }
    for page in &closed {
        assert_eq!(meera.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    let page = meera.get("/console/").await;
    let own = admin.get("/console/accounts?q=meera").await;
    let own = format!("/console/accounts/{}", between(&own.html, "/console/accounts/0", "\""));
    let own = own.replace("accounts/", "accounts/0");
    for (to, fields) in [
        (format!("{own}/roles"), vec![("role", "admin")]),
        (format!("{account}/suspend"), vec![]),
        (format!("{account}/erase"), vec![]),
        (format!("{account}/devices/{}", "0".repeat(32)), vec![]),
        ("/console/accounts".to_owned(), vec![("login", "eve"), ("password", PASSWORD)]),
    ] {
        let refused = meera.post(&to, &page, &fields).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{to}: {}", refused.html);
    }
    assert!(admin.get("/console/audit").await.html.contains("refused"), "refusals stand there");
}

#[tokio::test]
async fn roles_are_asked_for_twice_and_a_suspended_operator_is_out_at_once() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let account = make(&mut admin, "meera", "Meera Nair", "hub_operator").await;
    let mut meera = Browser::new(&hub);
    meera.enrol("meera").await;
    assert_eq!(meera.get("/console/queues").await.status, StatusCode::OK);
    let ask = format!("{account}/roles?role=customer&role=hub_operator");
    let question = admin.get(&ask).await;
    assert!(question.html.contains("customer, hub_operator"), "{}", question.html);
    let stays = admin.get(&account).await;
    assert!(!stays.html.contains("value=\"customer\" checked"), "asking changes nothing");
    let given = [("role", "customer"), ("role", "hub_operator")];
    let done = admin.post(&format!("{account}/roles"), &question, &given).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let shown = admin.get(done.header("location")).await;
    assert!(shown.html.contains("value=\"customer\" checked"), "{}", shown.html);
    assert!(shown.html.contains("The roles are set."));
    assert_eq!(meera.get("/console/queues").await.status, StatusCode::SEE_OTHER, "signed out");
    let wrong = admin.post(&format!("{account}/roles"), &question, &[("role", "node")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);

    let mut meera = Browser::new(&hub);
    let sql = "DELETE FROM factor WHERE account = (SELECT max(id) FROM account)";
    database(&hub).execute(sql, []).expect("it is written");
    meera.enrol("meera").await;
    assert_eq!(meera.get("/console/queues").await.status, StatusCode::OK);
    let question = admin.get(&format!("{account}/suspend")).await;
    assert!(question.html.contains("Suspend meera?"), "{}", question.html);
    let done = admin.post(&format!("{account}/suspend"), &question, &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(meera.get("/console/queues").await.status, StatusCode::SEE_OTHER);
    let refused = meera.sign_in("meera", "").await;
    assert!(refused.html.contains("suspended"), "{}", refused.html);
    let question = admin.get(&format!("{account}/erase")).await;
    let done = admin.post(&format!("{account}/erase"), &question, &[]).await;
    assert!(done.html.contains("What stays"), "{}", done.html);
    assert_eq!(admin.get(&account).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get(&format!("{account}/dance")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn std_40_names_of_people_and_shops_stay_text_on_every_page() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let account = make(&mut admin, SCRIPT, SCRIPT, "customer").await;
    let (shop, _) = applied(&hub, SCRIPT).await;
    for page in [
        "/console/accounts".to_owned(),
        format!("/console/accounts?q={}", "%3Cscript%3E"),
        format!("{account}/suspend"),
        format!("{account}/roles?role=customer"),
        account,
        "/console/shops".to_owned(),
        format!("/console/shops/{shop}"),
    ] {
        let shown = admin.get(&page).await;
        assert_eq!(shown.status, StatusCode::OK, "{page}");
        assert!(shown.html.contains("&#60;script&#62;"), "{page}: {}", shown.html);
        assert!(!shown.html.contains("<script"), "{page}: {}", shown.html);
    }
}

#[tokio::test]
async fn a_shop_that_applied_is_approved_by_an_operator_and_the_log_says_so() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let (shop, token) = applied(&hub, "Sri Lakshmi Stores").await;
    assert!(admin.get("/console/").await.html.contains("<p class=\"figure\">1</p>"));
    let page = admin.get(&format!("/console/shops/{shop}")).await;
    let to = format!("/console/shops/{shop}");
    let refused =
        admin.post(&to, &page, &[("decision", "refuse"), ("words", "Too far away")]).await;
    assert_eq!(refused.status, StatusCode::SEE_OTHER, "{}", refused.html);
    assert!(admin.get("/console/shops?state=refused").await.html.contains("Sri Lakshmi"));
    assert!(admin.get(&to).await.html.contains("Too far away"));
    let asked = [("decision", "ask"), ("words", "Which floor?")];
    let asked = admin.post(&to, &page, &asked).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.html);
    assert!(admin.get("/console/shops?state=asked").await.html.contains("Sri Lakshmi"));
    let empty = admin.post(&to, &page, &[("decision", "ask")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY, "a question asks something");
    let done = admin.post(&to, &page, &[("decision", "approve")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let (_, now) = send(hub.get(&format!("/v1/shops/{shop}")).bearer_auth(&token)).await;
    assert_eq!(text(&now, "state"), "approved");
    let again = admin.post(&to, &page, &[("decision", "refuse"), ("words", "Too far away")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.html);
    let odd = admin.post(&to, &page, &[]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY, "no answer is no refusal");
    let log = admin.get("/console/audit").await.html;
    assert!(log.contains("shop.approve") && log.contains(&shop.to_string()), "{log}");
    assert!(admin.get("/console/shops?state=approved").await.html.contains("Sri Lakshmi"));
}

#[tokio::test]
async fn a_community_hub_is_certified_by_the_line_that_it_printed() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let pair = KeyPair::from_seed([8; 64]);
    let line = keys(&pair, None, None).to_string();
    let page = admin.get("/console/hubs").await;
    assert!(page.html.contains("this hub"), "{}", page.html);
    let wrong = admin.post("/console/hubs", &page, &[("keys", "hello")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let forged = line.replace(&pair.signing.public().to_string(), &"0".repeat(64));
    let forged = admin.post("/console/hubs", &page, &[("keys", &forged)]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let done = admin.post("/console/hubs", &page, &[("keys", &line)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    let page = admin.get("/console/hubs").await;
    assert!(page.html.contains(&pair.signing.id().to_string()), "{}", page.html);
}

#[tokio::test]
async fn the_audit_log_says_where_its_chain_breaks() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let (token, _) = account(&hub, "asha").await;
    for _ in 0..120 {
        let refused = hub.get("/v1/audit").bearer_auth(&token);
        assert_eq!(send(refused).await.0, StatusCode::FORBIDDEN);
    }
    let first = admin.get("/console/audit").await.html;
    assert!(first.contains("Check the whole log"), "{first}");
    let all = admin.get("/console/audit?check=all").await.html;
    assert!(all.contains("none was changed"), "{all}");
    // From page to page, every line once.
    let (mut path, mut lines) = ("/console/audit".to_owned(), 0);
    loop {
        let page = admin.get(&path).await.html;
        lines += page.matches("data-label=\"Line\"").count();
        let Some((_, rest)) = page.split_once("?before=") else { break };
        path = format!("/console/audit?before={}", rest.split('"').next().expect("a number"));
    }
    let count: usize = database(&hub)
        .query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0))
        .map(|count| usize::try_from(count).expect("few"))
        .expect("it is read");
    assert!(lines == count && count > 120, "{lines} of {count}");
    let thief = database(&hub);
    thief.execute_batch("DROP TRIGGER audit_is_append_only_update").expect("a thief can");
    thief.execute("UPDATE audit SET outcome = 'done' WHERE seq = 30", []).expect("written");
    let newest = admin.get("/console/audit").await.html;
    assert!(newest.contains("Check the whole log"), "the newest page is whole: {newest}");
    let all = admin.get("/console/audit?check=all").await.html;
    assert!(all.contains("breaks at line 30"), "{all}");
    assert!(admin.get("/console/audit?before=40").await.html.contains("breaks at line 30"));
    for odd in ["before=0", "before=1", "before=99999999999999999999", "before=x", "before=-1"] {
        let shown = admin.get(&format!("/console/audit?{odd}")).await;
        assert!(!shown.status.is_server_error(), "{odd}: {}", shown.html);
    }
}

#[tokio::test]
async fn p4_queues_tell_addresses_counts_and_ages_and_no_more() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let (shop, device) = (ShopId::new(UnixMs::new(1), [4; 10]), KeyId::of(&[9; 32]));
    let sender = KeyId::of(&[5; 32]);
    let hour_ago = clock::now().minus_ms(3_600_000 * 3).get();
    for (n, to, passed) in [
        (1_u8, Address::Shop(shop), 0),
        (2, Address::Shop(shop), 0),
        (3, Address::Shop(shop), 1),
        (4, Address::Device(device), 0),
    ] {
        let put = "INSERT INTO mail (id, recipient, sender, size, until, stored_at, bytes, passed)
                   VALUES (?1, ?2, ?3, 700, 9000000000000, ?4, x'00', ?5)";
        let at = i64::try_from(hour_ago).expect("a moment") + i64::from(n);
        let row = params![vec![n; 32], cbor::to_vec(&to), sender.as_bytes(), at, passed];
        database(&hub).execute(put, row).expect("it is written");
    }
    let (_, codes) = {
        let mut other = Browser::new(&hub);
        make(&mut admin, "meera", "Meera Nair", "hub_operator").await;
        other.enrol("meera").await
    };
    let body = json!({ "login": "meera", "password": PASSWORD, "otp": codes[0] });
    let token = text(&send(hub.post("/v1/sessions", &body)).await.1, "access_token").to_owned();
    let (status, queues) = send(hub.get("/v1/queues").bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::OK, "{queues}");
    let items = queues["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "{queues}");
    let of = |to: String| items.iter().find(|i| i["recipient"] == *to).expect("a queue").clone();
    let queue = of(format!("shop:{shop}"));
    assert_eq!((&queue["pieces"], &queue["bytes"]), (&json!(2), &json!(1400)), "no spare copy");
    assert!(queue["oldest_age_s"].as_u64().is_some_and(|age| (10_700..10_900).contains(&age)));
    assert!(!queues.to_string().contains(&sender.to_string()), "who sent it is not told");
    let first = hub.get("/v1/queues?limit=1").bearer_auth(&token);
    let cursor = text(&send(first).await.1, "next_cursor").to_owned();
    let next = hub.get(&format!("/v1/queues?limit=1&cursor={cursor}")).bearer_auth(&token);
    let (_, next) = send(next).await;
    assert_ne!(next["items"][0]["recipient"], json!(cursor));
    let odd = hub.get("/v1/queues?cursor=person:asha").bearer_auth(&token);
    assert_eq!(send(odd).await.0, StatusCode::NOT_FOUND);
    let page = admin.get("/console/queues").await.html;
    assert!(page.contains(&device.to_string()) && page.contains("3 hours"), "{page}");
    assert!(!page.contains(&sender.to_string()), "{page}");
    let (token, _) = account(&hub, "asha").await;
    let refused = hub.get("/v1/queues").bearer_auth(&token);
    assert_eq!(send(refused).await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(hub.get("/v1/queues")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_overview_tells_how_old_the_last_backup_is() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    assert!(admin.get("/console/").await.html.contains("<p class=\"figure\">none</p>"));
    let file = tempfile::TempDir::new().expect("a folder");
    let name = file.path().join("backup");
    let output = program(hub.data.path(), "backup --json").arg(&name).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = admin.get("/console/").await.html;
    assert!(page.contains("<p class=\"figure\">less than a minute</p>"), "{page}");
}

#[tokio::test]
async fn a_community_hub_has_no_console() {
    let hub = Running::start(&["--role", "community"]);
    let mut browser = Browser::new(&hub);
    for path in ["/console/", "/console/accounts", "/console/factor"] {
        let shown = browser.get(path).await;
        assert_eq!(shown.status, StatusCode::NOT_FOUND, "{path}: {}", shown.html);
        assert!(shown.html.starts_with("<!doctype html>"), "{}", shown.html);
    }
}

#[tokio::test]
async fn a_stolen_device_is_shut_out_after_a_second_question() {
    let hub = hub().await;
    let mut admin = operator(&hub).await;
    let (token, id) = account(&hub, "asha").await;
    let pair = KeyPair::from_seed([6; 64]);
    let ask = hub.post("/v1/devices", &keys(&pair, id, None)).bearer_auth(&token);
    assert_eq!(send(ask).await.0, StatusCode::CREATED);
    let page = format!("/console/accounts/{id}");
    let device = format!("{page}/devices/{}", pair.signing.id());
    assert!(admin.get(&page).await.html.contains(&device));
    let question = admin.get(&device).await;
    assert!(question.html.contains("cannot be undone"), "{}", question.html);
    assert!(admin.get(&page).await.html.contains(&device), "asking changes nothing");
    let (_, before) = send(hub.get("/v1/revocations")).await;
    let done = admin.post(&device, &question, &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.html);
    assert!(!admin.get(&page).await.html.contains(&device));
    assert_ne!(send(hub.get("/v1/revocations")).await.1, before, "hubs and shops hear of it");
    assert_eq!(admin.post(&device, &question, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get(&device).await.status, StatusCode::NOT_FOUND);
    let log = admin.get("/console/audit").await.html;
    assert!(log.contains("device.revoke") && log.contains(&pair.signing.id().to_string()));
}
