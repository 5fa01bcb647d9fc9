//! Programs of others get tokens by code and PKCE, or for themselves: section A of the standards.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_migrations::rusqlite::Connection;
use reqwest::{Client, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use crate::program::{PASSWORD, Running, program, send, text};

pub const BACK: &str = "http://127.0.0.1:9/back?from=hub";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A browser that keeps its cookies and shows where it is sent.
pub struct Browser<'a> {
    hub: &'a Running,
    client: Client,
    pub cookies: BTreeMap<String, String>,
}

pub struct Shown {
    pub status: StatusCode,
    location: Option<String>,
    policy: String,
    set_cookie: Option<String>,
    pub html: String,
}

impl<'a> Browser<'a> {
    pub fn new(hub: &'a Running) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { hub, client, cookies: BTreeMap::new() }
    }

    pub async fn get(&mut self, query: &str) -> Shown {
        let url = format!("{}/oauth/authorize?{query}", self.hub.url);
        self.shown(self.client.get(url).header("accept", "text/html")).await
    }

    async fn post(&mut self, page: &Shown, step: &str, more: &str) -> Shown {
        let (csrf, request) = (encoded(&page.hidden("csrf")), encoded(&page.hidden("request")));
        let body = format!("step={step}&csrf={csrf}&request={request}{more}");
        let url = format!("{}/oauth/authorize", self.hub.url);
        let form = "application/x-www-form-urlencoded";
        self.shown(self.client.post(url).header("content-type", form).body(body)).await
    }

    pub async fn sign_in(&mut self, page: &Shown, login: &str, password: &str) -> Shown {
        let typed = format!("&login={}&password={}&otp=", encoded(login), encoded(password));
        self.post(page, "sign-in", &typed).await
    }

    async fn shown(&mut self, request: reqwest::RequestBuilder) -> Shown {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let request = request.header("cookie", cookies.collect::<Vec<_>>().join("; "));
        let answer = request.send().await.expect("an answer");
        let header =
            |name| answer.headers().get(name).map(|v| v.to_str().expect("text").to_owned());
        let set_cookie = header("set-cookie");
        for set in answer.headers().get_all("set-cookie") {
            let pair = set.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Shown {
            status: answer.status(),
            location: header("location"),
            policy: header("content-security-policy").unwrap_or_default(),
            set_cookie,
            html: answer.text().await.expect("text"),
        }
    }
}

impl Shown {
    fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest =
            self.html.split_once(&start).unwrap_or_else(|| panic!("{name}: {}", self.html)).1;
        rest.split('"').next().expect("a value").replace("&#38;", "&")
    }

    fn sent(&self, name: &str) -> Option<String> {
        let query = self.location.as_deref()?.split_once('?')?.1;
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string())
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub fn query(client: &str, back: &str) -> String {
    let back = encoded(back);
    format!(
        "client_id={client}&redirect_uri={back}&response_type=code&state=s%26t&nonce=n1\
         &scope=openid+profile+account&code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

fn add(hub: &Running, line: &str) -> Value {
    let line = format!("client add --json --redirect-uri {BACK} {line}");
    let output = program(hub.data.path(), &line).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

pub async fn hub() -> Running {
    let hub = Running::start(&[]);
    hub.register("asha").await;
    add(&hub, "--id app");
    hub
}

/// Signs in, agrees, and gives the code.
async fn code(hub: &Running, client: &str) -> String {
    let mut browser = Browser::new(hub);
    let page = browser.get(&query(client, BACK)).await;
    let page = browser.sign_in(&page, "asha", PASSWORD).await;
    let sent = browser.post(&page, "allow", "").await;
    sent.sent("code").unwrap_or_else(|| panic!("no code: {:?} {}", sent.location, sent.html))
}

fn exchange(client: &str, code: &str, verifier: &str) -> String {
    let back = encoded(BACK);
    format!(
        "grant_type=authorization_code&client_id={client}&code={code}&redirect_uri={back}\
         &code_verifier={verifier}"
    )
}

async fn tokens(hub: &Running) -> Value {
    let body = exchange("app", &code(hub, "app").await, VERIFIER);
    let (status, tokens) = send(hub.form("/oauth/token", &body)).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens
}

fn refused(answer: &(StatusCode, Value), error: &str) {
    assert_eq!((answer.0.as_u16(), text(&answer.1, "error")), (400, error));
}

#[tokio::test]
async fn std_06_38_40_a_person_signs_in_agrees_and_is_sent_back_with_code_state_and_issuer() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get(&query("app", BACK)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let first = page.set_cookie.clone().expect("a cookie");
    assert!(first.starts_with("__Host-"), "{first}");
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(first.contains(attribute), "{attribute} in {first}");
    }
    assert!(!page.policy.contains("unsafe") && page.policy.contains("base-uri 'none'"));
    assert!(page.policy.contains("form-action 'self' http://127.0.0.1:9;"), "{}", page.policy);
    let wrong = browser.sign_in(&page, "<script>alert(1)</script>", "not the right words").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.html.contains("<script"), "{}", wrong.html);
    let page = browser.sign_in(&wrong, "asha", PASSWORD).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert_ne!(page.set_cookie.expect("a new cookie"), first, "the id changes at login");
    let page = browser.get(&query("app", BACK)).await;
    assert_eq!(page.hidden("step"), "allow", "who is signed in is only asked");
    let sent = browser.post(&page, "allow", "").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert!(sent.location.as_deref().is_some_and(|to| to.starts_with(&format!("{BACK}&code="))));
    assert_eq!((sent.sent("state"), sent.sent("iss")), (Some("s&t".into()), Some(hub.url.clone())));
    let denied = browser.post(&page, "deny", "").await;
    assert_eq!(denied.sent("error").as_deref(), Some("access_denied"));
    assert_eq!(denied.sent("iss"), Some(hub.url.clone()));
}

#[tokio::test]
async fn std_17_a_redirect_uri_that_is_not_the_registered_one_byte_for_byte_is_no_redirect() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    for other in [
        "http://127.0.0.1:9/back",
        "http://127.0.0.1:9/back?from=hub&a=b",
        "http://127.0.0.1:9/back?from=HUB",
        "http://127.0.0.1:9/back/?from=hub",
        "http://127.0.0.1:9/./back?from=hub",
        "http://127.0.0.1:10/back?from=hub",
        "http://LOCALHOST:9/back?from=hub",
        "https://evil.example/back",
        "",
    ] {
        let page = browser.get(&query("app", other)).await;
        assert_eq!((page.status.as_u16(), page.location), (400, None), "{other}");
    }
    let page = browser.get(&query("nobody", BACK)).await;
    assert_eq!((page.status.as_u16(), page.location), (403, None));
    let twice = format!("{}&client_id=app", query("app", BACK));
    assert_eq!(browser.get(&twice).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn std_18_22_no_pkce_plain_and_other_response_types_are_errors_that_the_program_hears() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let good = query("app", BACK);
    for (from, to, error) in [
        ("code_challenge_method=S256", "code_challenge_method=plain", "invalid_request"),
        ("&code_challenge_method=S256", "", "invalid_request"),
        ("&code_challenge=E9M", "&other=E9M", "invalid_request"),
        ("code_challenge=E9M", "code_challenge=9M", "invalid_request"),
        ("response_type=code", "response_type=token", "unsupported_response_type"),
        ("response_type=code", "response_type=id_token", "unsupported_response_type"),
        ("openid+profile+account", "everything", "invalid_scope"),
        ("nonce=n1", "request=e30", "request_not_supported"),
        ("nonce=n1", "prompt=none", "login_required"),
    ] {
        let sent = browser.get(&good.replace(from, to)).await;
        assert_eq!(sent.sent("error").as_deref(), Some(error), "{to}");
        assert_eq!((sent.sent("state"), sent.sent("code")), (Some("s&t".into()), None));
        assert_eq!(sent.sent("iss"), Some(hub.url.clone()), "std_06");
    }
}

#[tokio::test]
async fn std_19_23_a_code_is_bound_to_its_verifier_its_address_and_its_client() {
    let hub = hub().await;
    add(&hub, "--id other");
    let code = code(&hub, "app").await;
    let other = VERIFIER.replace('d', "e");
    for body in [
        exchange("app", &code, &other),
        exchange("app", &code, CHALLENGE),
        exchange("other", &code, VERIFIER),
        exchange("kirana", &code, VERIFIER),
        exchange("app", &code, VERIFIER).replace("from%3Dhub", "from%3Dpub"),
        exchange("app", "guessed", VERIFIER),
    ] {
        refused(&send(hub.form("/oauth/token", &body)).await, "invalid_grant");
    }
    let without = exchange("app", &code, VERIFIER).replace("code_verifier", "verifier");
    refused(&send(hub.form("/oauth/token", &without)).await, "invalid_request");
    let good = exchange("app", &code, VERIFIER);
    assert_eq!(send(hub.form("/oauth/token", &good)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn std_20_a_code_used_twice_is_refused_and_what_it_gave_is_revoked() {
    let hub = hub().await;
    let body = exchange("app", &code(&hub, "app").await, VERIFIER);
    let answer = hub.form("/oauth/token", &body).send().await.expect("an answer");
    assert_eq!(answer.headers()["cache-control"], "no-store", "std_29");
    let given: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    let me = || send(hub.get("/v1/me").bearer_auth(text(&given, "access_token")));
    assert_eq!(me().await.0, StatusCode::OK);
    refused(&send(hub.form("/oauth/token", &body)).await, "invalid_grant");
    assert_eq!(me().await.0, StatusCode::UNAUTHORIZED);
    let refresh = text(&given, "refresh_token");
    let body = format!("grant_type=refresh_token&client_id=app&refresh_token={refresh}");
    refused(&send(hub.form("/oauth/token", &body)).await, "invalid_grant");
}

#[tokio::test]
async fn std_20_of_twenty_parallel_uses_of_a_code_at_most_one_gives() {
    let hub = hub().await;
    let body = exchange("app", &code(&hub, "app").await, VERIFIER);
    let uses = (0..20).map(|_| send(hub.form("/oauth/token", &body)));
    let answers = futures::future::join_all(uses).await;
    let gave = answers.iter().filter(|(status, _)| *status == StatusCode::OK).count();
    assert_eq!(gave, 1);
}

#[tokio::test]
async fn std_21_a_code_dies_within_ten_minutes() {
    let hub = hub().await;
    let code = code(&hub, "app").await;
    let database = Connection::open(hub.data.path().join("hub.db")).expect("it opens");
    let sql = "SELECT max(expires_at - signed_in) FROM code";
    let lives_ms: i64 = database.query_row(sql, [], |row| row.get(0)).expect("a code");
    assert!((1..=600_000).contains(&lives_ms), "{lives_ms}");
    let ended = database.execute("UPDATE code SET expires_at = expires_at - ?1", [lives_ms]);
    assert_eq!(ended.expect("written"), 1);
    let body = exchange("app", &code, VERIFIER);
    refused(&send(hub.form("/oauth/token", &body)).await, "invalid_grant");
}

#[tokio::test]
async fn std_13_16_24_an_id_token_opens_nothing_and_a_program_does_only_what_was_agreed_to() {
    let hub = hub().await;
    let given = tokens(&hub).await;
    let id = text(&given, "id_token");
    let part = URL_SAFE_NO_PAD.decode(id.split('.').nth(1).expect("claims")).expect("base64url");
    let claims: Value = serde_json::from_slice(&part).expect("JSON");
    assert_eq!((text(&claims, "iss"), text(&claims, "aud")), (hub.url.as_str(), "app"));
    assert_eq!(text(&claims, "nonce"), "n1");
    let status = |path, token| {
        let request = hub.get(path).bearer_auth(token);
        async { send(request).await.0.as_u16() }
    };
    assert_eq!(status("/v1/me", id).await, 401);
    assert_eq!(status("/oauth/userinfo", id).await, 401);
    let access = text(&given, "access_token");
    assert_eq!(status("/v1/devices", access).await, 403, "only account was agreed to");
    let (_, who) = send(hub.get("/oauth/userinfo").bearer_auth(access)).await;
    assert_eq!(who, json!({ "sub": claims["sub"], "locale": "en" }));
    let own = hub.sign_in("asha").await;
    let (_, list) = send(hub.get("/v1/sessions").bearer_auth(text(&own, "access_token"))).await;
    let clients = [0, 1].map(|n| text(&list["items"][n], "client_id").to_owned());
    assert_eq!(clients, ["kirana", "app"], "newest first: {list}");
    assert_eq!(list["items"][2]["at"], "pages", "the browser where it was agreed to: {list}");
    for (client, token, good) in
        [("app", &own, false), ("kirana", &given, false), ("app", &given, true)]
    {
        let token = text(token, "refresh_token");
        let body = format!("grant_type=refresh_token&client_id={client}&refresh_token={token}");
        let (status, answer) = send(hub.form("/oauth/token", &body)).await;
        assert_eq!(status.is_success(), good, "{client}: {answer}");
    }
}

#[tokio::test]
async fn std_27_28_introspection_is_for_clients_with_a_secret_and_says_inactive_after_revocation() {
    let hub = hub().await;
    let secret = add(&hub, "--id service --confidential");
    let secret = text(&secret, "client_secret");
    let asks = |token: &str| {
        let request = hub.form("/oauth/introspect", &format!("token={token}"));
        send(request.basic_auth("service", Some(secret)))
    };
    let given = tokens(&hub).await;
    let (access, refresh) = (text(&given, "access_token"), text(&given, "refresh_token"));
    for body in [
        format!("token={access}"),
        format!("token={access}&client_id=app"),
        format!("token={access}&client_id=service"),
        format!("token={access}&client_id=service&client_secret=guessed"),
    ] {
        let (status, answer) = send(hub.form("/oauth/introspect", &body)).await;
        assert_eq!((status.as_u16(), text(&answer, "error")), (401, "invalid_client"), "{body}");
    }
    let told = asks(access).await.1;
    assert_eq!((&told["active"], text(&told, "client_id")), (&json!(true), "app"));
    assert_eq!(asks(refresh).await.1["active"], true);
    assert_eq!(asks("nobody-knows-it").await, (StatusCode::OK, json!({ "active": false })));
    // Whoever finds a token cannot end it in another program's name.
    for (client, active) in [("kirana", true), ("app", false)] {
        let body = format!("token={refresh}&client_id={client}");
        assert_eq!(send(hub.form("/oauth/revoke", &body)).await.0, StatusCode::OK);
        assert_eq!(asks(access).await.1["active"], active, "{client}");
    }
    assert_eq!(asks(refresh).await.1, json!({ "active": false }));
}

#[tokio::test]
async fn a_service_gets_a_token_for_itself_that_is_no_persons_and_ends_with_the_client() {
    let hub = hub().await;
    let added = add(&hub, "--id service --confidential");
    let secret = text(&added, "client_secret");
    let form = |path, body: &str| send(hub.form(path, body).basic_auth("service", Some(secret)));
    let ask = "grant_type=client_credentials";
    let (status, given) = form("/oauth/token", ask).await;
    assert_eq!((status, &given["refresh_token"]), (StatusCode::OK, &Value::Null), "{given}");
    let token = text(&given, "access_token");
    assert_eq!(send(hub.get("/v1/me").bearer_auth(token)).await.0, StatusCode::FORBIDDEN, "std_16");
    let named = format!("token={token}");
    assert_eq!(form("/oauth/introspect", &named).await.1["sub"], "service");
    assert_eq!(form("/oauth/revoke", &named).await.0, StatusCode::OK);
    assert_eq!(form("/oauth/introspect", &named).await.1, json!({ "active": false }));
    assert_eq!(send(hub.get("/v1/me").bearer_auth(token)).await.0, StatusCode::UNAUTHORIZED);
    for body in [ask.to_owned(), format!("{ask}&client_id=app")] {
        let (status, answer) = send(hub.form("/oauth/token", &body)).await;
        assert_eq!((status.as_u16(), text(&answer, "error")), (401, "invalid_client"));
    }
    let person = tokens(&hub).await;
    let gone = program(hub.data.path(), "client remove --id app").status().expect("it runs");
    assert!(gone.success());
    let me = send(hub.get("/v1/me").bearer_auth(text(&person, "access_token"))).await;
    assert_eq!(me.0, StatusCode::UNAUTHORIZED, "what the client was given has ended");
}

#[tokio::test]
async fn std_38_39_a_form_without_its_token_is_403_and_signing_out_everywhere_ends_the_browser() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get(&query("app", BACK)).await;
    let page = browser.sign_in(&page, "asha", PASSWORD).await;
    let forged = Shown { html: page.html.replace(&page.hidden("csrf"), "forged"), ..page };
    assert_eq!(browser.post(&forged, "allow", "").await.status, StatusCode::FORBIDDEN);
    let page = browser.get(&query("app", BACK)).await;
    let mut elsewhere = Browser::new(&hub);
    assert_eq!(elsewhere.post(&page, "allow", "").await.status, StatusCode::FORBIDDEN);
    let token = hub.sign_in("asha").await;
    let everywhere = hub.delete("/v1/sessions").bearer_auth(text(&token, "access_token"));
    assert_eq!(send(everywhere).await.0, StatusCode::NO_CONTENT);
    assert_eq!(browser.post(&page, "allow", "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get(&query("app", BACK)).await.hidden("step"), "sign-in");
}
