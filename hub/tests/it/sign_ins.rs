//! The history of sign-ins, and the notice of a device that was never seen before.

use kirana_migrations::rusqlite::Connection;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    letters::{letters, outbox, person},
    program::{PASSWORD, Running, send, text},
    street::PATIENCE,
};

const ASHA: &str = "asha@example.org";

async fn sign_in(
    hub: &Running,
    login: &str,
    password: &str,
    device: Option<&str>,
) -> (StatusCode, Value) {
    let body = json!({ "login": login, "password": password, "device_token": device });
    let request = hub.post("/v1/sessions", &body);
    send(request.header("user-agent", "kirana/0.1.0 (on a laptop)")).await
}

async fn history(hub: &Running, token: &str) -> Vec<Value> {
    let (status, list) = send(hub.get("/v1/me/sign-ins").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_new_device_is_told_to_the_owner_and_a_known_one_is_not() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    let (_, first) = sign_in(&hub, ASHA, PASSWORD, None).await;
    let device = text(&first, "device_token");
    assert_eq!(sign_in(&hub, ASHA, PASSWORD, Some(device)).await.0, StatusCode::CREATED);
    // Another account's device is a new one here.
    hub.register("ravi").await;
    let other = text(&hub.sign_in("ravi").await, "device_token").to_owned();
    let (_, second) = sign_in(&hub, ASHA, PASSWORD, Some(&other)).await;
    assert!(second["device_token"].is_string());
    let [letter] = &letters(&hub, 1).await[..] else { panic!("one") };
    assert_eq!(letter.to, ASHA);
    assert!(letter.text.contains("kirana/0.1.0, 127.0.0.0/24"), "{}", letter.text);
    assert!(!letter.text.contains("laptop"));
    let items = history(&hub, text(&second, "access_token")).await;
    let new: Vec<_> = items.iter().map(|item| item["new"].as_bool().expect("a mark")).collect();
    assert_eq!(new, [true, false, true]);
    for item in &items {
        assert_eq!(text(item, "outcome"), "signed-in");
        assert_eq!(text(item, "client"), "kirana/0.1.0");
        assert_eq!(text(item, "network"), "127.0.0.0/24");
        assert_eq!(item["second_factor"], false);
    }
    let (_, export) =
        send(hub.get("/v1/me/export").bearer_auth(text(&second, "access_token"))).await;
    assert_eq!(export["sign_ins"].as_array(), Some(&items));
    // Who signs in again and again without its token sends no flood of letters.
    for _ in 0..6 {
        sign_in(&hub, ASHA, PASSWORD, None).await;
    }
    assert!(outbox(hub.data.path()).len() <= 3);
}

#[tokio::test]
async fn the_owner_sees_who_guessed_and_nobody_else_does() {
    let hub = Running::start(&[]);
    person(&hub, ASHA, "en").await;
    for _ in 0..3 {
        let (status, _) = sign_in(&hub, ASHA, "not the right words", None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let (_, tokens) = sign_in(&hub, ASHA, PASSWORD, None).await;
    let token = text(&tokens, "access_token");
    let noted = async {
        loop {
            let items = history(&hub, token).await;
            if items.len() == 4 {
                return items;
            }
        }
    };
    let items = tokio::time::timeout(PATIENCE, noted).await.expect("they are noted");
    let outcomes: Vec<_> = items.iter().map(|item| text(item, "outcome")).collect();
    assert_eq!(outcomes, ["signed-in", "wrong-password", "wrong-password", "wrong-password"]);
    hub.register("ravi").await;
    let ravi = hub.sign_in("ravi").await;
    assert_eq!(history(&hub, text(&ravi, "access_token")).await.len(), 1);
    assert_eq!(send(hub.get("/v1/me/sign-ins")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn p4_the_history_is_sealed_has_a_limit_and_ends_after_ninety_days() {
    let hub = Running::start(&["--sign-ins-per-minute", "1000"]);
    person(&hub, ASHA, "en").await;
    let (_, first) = sign_in(&hub, ASHA, PASSWORD, None).await;
    let device = text(&first, "device_token").to_owned();
    for _ in 0..104 {
        let (status, problem) = sign_in(&hub, ASHA, PASSWORD, Some(&device)).await;
        assert_eq!(status, StatusCode::CREATED, "{problem}");
    }
    assert_eq!(history(&hub, text(&first, "access_token")).await.len(), 100);
    let data = hub.stop();
    let file = data.path().join("hub.db");
    let database = Connection::open(&file).expect("it opens");
    let _ = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let bytes = std::fs::read(&file).expect("read");
    for word in ["127.0.0.0", "signed-in", "kirana/0.1.0"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    let aged = "UPDATE sign_in SET at = at - 91 * 86400000 WHERE id IN
                  (SELECT id FROM sign_in ORDER BY id LIMIT 60)";
    database.execute(aged, []).expect("aged");
    drop(database);
    let hub = Running::start_in(data, &[]);
    let (_, tokens) = sign_in(&hub, ASHA, PASSWORD, Some(&device)).await;
    let swept = async { while history(&hub, text(&tokens, "access_token")).await.len() != 41 {} };
    tokio::time::timeout(PATIENCE, swept).await.expect("the old ones go");
}
