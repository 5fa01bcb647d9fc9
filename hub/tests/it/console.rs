//! The console as operators and enemies meet it: lines 34 and 38 to 40 of the standards.

use kirana_hub::clock;
use kirana_migrations::rusqlite::Connection;
use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde_json::json;

use crate::program::{PASSWORD, Running, code, send, text};

pub const ROOT: &str = "root@example.org";

/// A browser that keeps its cookies and shows where it is sent.
pub struct Browser<'a> {
    hub: &'a Running,
    client: Client,
    cookies: Vec<(String, String)>,
}

pub struct Shown {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub html: String,
}

impl Shown {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub fn csrf(&self) -> String {
        let rest = self.html.split_once("name=\"csrf\" value=\"");
        let rest = rest.unwrap_or_else(|| panic!("no token: {}", self.html)).1;
        rest.split('"').next().expect("a value").to_owned()
    }

    pub fn is_sign_in(&self) -> bool {
        self.html.contains("name=\"password\"")
    }
}

impl<'a> Browser<'a> {
    pub fn new(hub: &'a Running) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { hub, client, cookies: Vec::new() }
    }

    fn cookie(&self) -> Option<&str> {
        let found = self.cookies.iter().find(|(name, _)| name == "__Host-kirana-console");
        found.map(|(_, value)| value.as_str())
    }

    pub async fn get(&mut self, path: &str) -> Shown {
        self.shown(self.client.get(format!("{}{path}", self.hub.url))).await
    }

    /// Sends a form with the token of a page.
    pub async fn post(&mut self, path: &str, page: &Shown, fields: &[(&str, &str)]) -> Shown {
        let csrf = page.csrf();
        let fields: Vec<_> = [("csrf", &*csrf)].iter().chain(fields).copied().collect();
        let request = self.form(path, &fields);
        self.shown(request).await
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = self.client.post(format!("{}{path}", self.hub.url)).body(body.finish());
        request.header("content-type", "application/x-www-form-urlencoded")
    }

    async fn shown(&mut self, request: RequestBuilder) -> Shown {
        let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = request.header("cookie", cookies.join("; ")).header("accept", "text/html");
        let answer = request.send().await.expect("an answer");
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().expect("text");
            let (name, value) = set.split(';').next().unwrap_or("").split_once('=').expect("=");
            self.cookies.retain(|(known, _)| known != name);
            if !set.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        Shown { status, headers, html: answer.text().await.expect("text") }
    }

    pub async fn sign_in(&mut self, login: &str, otp: &str) -> Shown {
        let page = self.get("/console/").await;
        let typed = [("login", login), ("password", PASSWORD), ("otp", otp)];
        self.post("/console/sign-in", &page, &typed).await
    }

    /// Signs in and adds a second factor; gives its secret and the recovery codes.
    pub async fn enrol(&mut self, login: &str) -> (String, Vec<String>) {
        if self.get("/console/").await.is_sign_in() {
            let sent = self.sign_in(login, "").await;
            assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.html);
        }
        let page = self.get("/console/factor").await;
        let secret = between(&page.html, "<b class=\"code\">", "</b>").replace(' ', "");
        let typed = [("otp", &*code(&secret, 0))];
        let done = self.post("/console/factor", &page, &typed).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.html);
        let codes = done.html.split("<span class=\"code\">").skip(1);
        let codes = codes.map(|rest| rest.split('<').next().unwrap_or("").to_owned());
        (secret, codes.collect())
    }
}

pub fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("{start} in {text}")).1;
    rest.split(end).next().unwrap_or("")
}

/// A hub with an administrator who has no second factor yet.
pub async fn hub() -> Running {
    hub_with(&[]).await
}

async fn hub_with(more: &[&str]) -> Running {
    let hub = Running::start(more);
    hub.register(ROOT).await;
    // As somebody is who was given the role a moment ago.
    let sql = "UPDATE account SET roles = 'customer admin'";
    assert_eq!(database(&hub).execute(sql, []).expect("it is written"), 1);
    hub
}

pub async fn operator(hub: &Running) -> Browser<'_> {
    let mut browser = Browser::new(hub);
    browser.enrol(ROOT).await;
    let page = browser.get("/console/").await;
    assert!(!page.is_sign_in(), "{}", page.html);
    browser
}

async fn is_inside(browser: &mut Browser<'_>) -> bool {
    !browser.get("/console/").await.is_sign_in()
}

pub fn database(hub: &Running) -> Connection {
    Connection::open(hub.data.path().join("hub.db")).expect("it opens")
}

#[tokio::test]
async fn std_38_the_cookie_is_bound_to_the_host_and_changes_at_every_step_up() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get("/console/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.is_sign_in() && page.html.contains("name=\"login\""), "{}", page.html);
    let set = page.header("set-cookie").to_owned();
    assert!(set.starts_with("__Host-"), "{set}");
    for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(set.contains(attribute), "{attribute} in {set}");
    }
    let first = browser.cookie().expect("a cookie").to_owned();
    let typed = [("login", ROOT), ("password", PASSWORD), ("otp", "")];
    let sent = browser.post("/console/sign-in", &page, &typed).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.html);
    let second = browser.cookie().expect("a cookie").to_owned();
    browser.enrol(ROOT).await;
    let third = browser.cookie().expect("a cookie").to_owned();
    assert!(first != second && second != third && first != third);
    assert!(is_inside(&mut browser).await);
    for old in [first, second] {
        browser.cookies = vec![("__Host-kirana-console".to_owned(), old)];
        assert!(!is_inside(&mut browser).await, "an old id opens nothing");
    }
}

#[tokio::test]
async fn std_34_without_a_second_factor_one_can_be_added_and_nothing_else_done() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let sent = browser.sign_in(ROOT, "").await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    let page = browser.get("/console/").await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, "/console/factor"));
    let page = browser.get("/console/factor").await;
    let picture = browser.get("/console/factor/qr.svg").await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert_eq!(picture.header("cache-control"), "no-store");
    assert!(picture.html.contains("<svg") && !picture.html.contains("<script"));
    let mut stranger = Browser::new(&hub);
    let picture = stranger.get("/console/factor/qr.svg").await;
    assert_eq!(picture.status, StatusCode::UNAUTHORIZED, "the picture is the session's alone");
    let wrong = browser.post("/console/factor", &page, &[("otp", "000000x")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let (secret, codes) = browser.enrol(ROOT).await;
    assert_eq!(codes.len(), 10);
    assert!(is_inside(&mut browser).await);
    let mut other = Browser::new(&hub);
    let refused = other.sign_in(ROOT, "").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.html.contains("second factor"), "{}", refused.html);
    assert_eq!(other.sign_in(ROOT, &code(&secret, 1)).await.status, StatusCode::SEE_OTHER);
    assert!(is_inside(&mut other).await);
    let mut third = Browser::new(&hub);
    assert_eq!(third.sign_in(ROOT, &codes[0]).await.status, StatusCode::SEE_OTHER);
    assert!(is_inside(&mut third).await);
}

#[tokio::test]
async fn std_34_who_came_in_by_the_password_alone_is_out_once_the_owner_has_a_factor() {
    let hub = hub().await;
    let mut thief = Browser::new(&hub);
    thief.sign_in(ROOT, "").await;
    let page = thief.get("/console/factor").await;
    let _owner = operator(&hub).await;
    let secret = between(&page.html, "<b class=\"code\">", "</b>").replace(' ', "");
    let typed = [("otp", &*code(&secret, 1))];
    let refused = thief.post("/console/factor", &page, &typed).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.html);
    assert!(!is_inside(&mut thief).await);
}

#[tokio::test]
async fn std_38_logout_ends_it_on_the_server() {
    let hub = hub().await;
    let mut browser = operator(&hub).await;
    let kept = browser.cookies.clone();
    let page = browser.get("/console/").await;
    let out = browser.post("/console/sign-out", &page, &[]).await;
    assert_eq!(
        (out.status, out.header("location")),
        (StatusCode::SEE_OTHER, "/console/?done=signed-out")
    );
    assert_eq!(browser.cookie(), None);
    browser.cookies = kept;
    assert!(!is_inside(&mut browser).await, "the old cookie opens nothing");
}

#[tokio::test]
async fn std_38_it_ends_after_half_an_hour_of_rest_and_after_twelve_hours_at_the_latest() {
    let hub = hub().await;
    let mut browser = operator(&hub).await;
    let minutes_ago = |column: &str, minutes: u64| {
        let at = clock::now().minus_ms(minutes * 60_000).get();
        let sql = format!("UPDATE console SET {column} = {at}");
        assert_eq!(database(&hub).execute(&sql, []).expect("it is written"), 1);
    };
    minutes_ago("used_at", 29);
    assert!(is_inside(&mut browser).await);
    minutes_ago("used_at", 31);
    assert!(!is_inside(&mut browser).await, "half an hour of rest");
    minutes_ago("used_at", 29);
    assert!(is_inside(&mut browser).await);
    minutes_ago("signed_in", 12 * 60 - 1);
    assert!(is_inside(&mut browser).await);
    minutes_ago("signed_in", 12 * 60);
    assert!(!is_inside(&mut browser).await, "twelve hours");
}

#[tokio::test]
async fn std_38_a_new_password_signing_out_everywhere_and_a_lost_role_end_it_at_once() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let (_, codes) = browser.enrol(ROOT).await;
    let sign_in = |code: &str| json!({ "login": ROOT, "password": PASSWORD, "otp": code });
    let (_, tokens) = send(hub.post("/v1/sessions", &sign_in(&codes[0]))).await;
    let token = text(&tokens, "access_token").to_owned();
    let id = text(&send(hub.get("/v1/me").bearer_auth(&token)).await.1, "id").to_owned();
    assert!(is_inside(&mut browser).await);
    assert!(send(hub.delete("/v1/sessions").bearer_auth(&token)).await.0.is_success());
    assert!(!is_inside(&mut browser).await, "signed out everywhere");

    browser.sign_in(ROOT, &codes[1]).await;
    assert!(is_inside(&mut browser).await);
    let (_, tokens) = send(hub.post("/v1/sessions", &sign_in(&codes[2]))).await;
    let token = text(&tokens, "access_token").to_owned();
    let words =
        json!({ "current_password": PASSWORD, "new_password": "five other plain words here" });
    let put = |path: String, body| {
        hub.client.put(format!("{}{path}", hub.url)).json(&body).bearer_auth(&token)
    };
    assert!(send(put("/v1/me/password".into(), words)).await.0.is_success());
    assert!(!is_inside(&mut browser).await, "a new password");

    let back =
        json!({ "current_password": "five other plain words here", "new_password": PASSWORD });
    assert!(send(put("/v1/me/password".into(), back)).await.0.is_success());
    browser.sign_in(ROOT, &codes[3]).await;
    assert!(is_inside(&mut browser).await);
    let roles = |names: &[&str]| put(format!("/v1/accounts/{id}/roles"), json!({ "roles": names }));
    // The database, not the door: the last administrator may be kept from stepping down there.
    let sql = "UPDATE account SET roles = 'customer'";
    database(&hub).execute(sql, []).expect("it is written");
    assert!(!is_inside(&mut browser).await, "no longer an operator");
    database(&hub).execute("UPDATE account SET roles = 'admin'", []).expect("it is written");
    assert!(is_inside(&mut browser).await);
    let (status, answer) = send(roles(&["customer", "admin", "hub_operator"])).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(!is_inside(&mut browser).await, "other roles, another sign-in");
}

#[tokio::test]
async fn a_person_sees_the_browsers_beside_the_programs_and_signs_one_out() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let (_, codes) = browser.enrol(ROOT).await;
    let body = json!({ "login": ROOT, "password": PASSWORD, "otp": codes[0] });
    let (_, tokens) = send(hub.post("/v1/sessions", &body)).await;
    let token = text(&tokens, "access_token").to_owned();
    let list = || send(hub.get("/v1/sessions").bearer_auth(&token));
    let (_, places) = list().await;
    assert_eq!(places["items"].as_array().map(Vec::len), Some(2), "{places}");
    let told =
        |at: usize| (places["items"][at]["at"].clone(), places["items"][at]["current"].clone());
    assert_eq!(told(0), (json!("program"), json!(true)));
    assert_eq!(told(1), (json!("console"), json!(false)));
    let (_, export) = send(hub.get("/v1/me/export").bearer_auth(&token)).await;
    assert_eq!(export["sessions"][1]["at"], "console");

    hub.register("stranger").await;
    let other = text(&hub.sign_in("stranger").await, "access_token").to_owned();
    let path = format!("/v1/sessions/{}", text(&places["items"][1], "id"));
    let theirs = send(hub.delete(&path).bearer_auth(other)).await;
    assert_eq!(theirs.0, StatusCode::NOT_FOUND, "std_16: of somebody else");
    assert!(is_inside(&mut browser).await);
    assert_eq!(send(hub.delete(&path).bearer_auth(&token)).await.0, StatusCode::NO_CONTENT);
    assert!(!is_inside(&mut browser).await);
    assert_eq!(list().await.1["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn std_38_the_console_is_for_operators_and_no_other_cookie_opens_it() {
    let hub = hub().await;
    hub.register("asha").await;
    let mut browser = Browser::new(&hub);
    let refused = browser.sign_in("asha", "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.html);
    assert!(!is_inside(&mut browser).await);
    let operator = operator(&hub).await;
    let value = operator.cookie().expect("a cookie").to_owned();
    // Neither is the console's cookie one of the pages for programs, nor the reverse.
    browser.cookies = vec![("__Host-kirana".to_owned(), value)];
    assert!(!is_inside(&mut browser).await);
}

#[tokio::test]
async fn std_39_a_form_without_its_token_or_from_another_site_is_refused() {
    let hub = hub().await;
    let mut browser = operator(&hub).await;
    let csrf = browser.get("/console/").await.csrf();
    let other = Browser::new(&hub).get("/console/").await.csrf();
    let out = "/console/sign-out";
    let with = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("a value");
        browser.form(out, &[("csrf", &csrf)]).header(name, value)
    };
    let refused = [
        browser.form(out, &[]),
        browser.client.post(format!("{}{out}", hub.url)),
        browser.form(out, &[("csrf", "")]),
        browser.form(out, &[("csrf", &other)]),
        browser.form(out, &[("csrf", &format!("{csrf}x"))]),
        browser.form(out, &[]).header("x-csrf-token", &other),
        with("origin", "https://evil.example"),
        with("origin", "null"),
        with("sec-fetch-site", "cross-site"),
        with("sec-fetch-site", "same-site"),
        with("sec-fetch-site", "none"),
        browser.client.post(format!("{}{out}?csrf={csrf}", hub.url)),
    ];
    for (number, request) in refused.into_iter().enumerate() {
        let shown = browser.shown(request).await;
        assert_eq!(shown.status, StatusCode::FORBIDDEN, "request {number}: {}", shown.html);
        assert!(shown.html.starts_with("<!doctype html>"), "{}", shown.html);
    }
    let sign_in = [("login", ROOT), ("password", PASSWORD)];
    let shown = browser.shown(browser.form("/console/sign-in", &sign_in)).await;
    assert_eq!(shown.status, StatusCode::FORBIDDEN, "signing in needs a token too");
    assert!(is_inside(&mut browser).await, "nothing of this signed out");
    let by_header = browser.form(out, &[]).header("x-csrf-token", &csrf).header("origin", &hub.url);
    assert_eq!(browser.shown(by_header).await.status, StatusCode::SEE_OTHER);
    assert!(!is_inside(&mut browser).await);
}

#[tokio::test]
async fn std_39_reading_a_page_changes_nothing_and_a_link_of_another_site_signs_nobody_out() {
    let hub = hub().await;
    let mut browser = operator(&hub).await;
    let dump = || {
        let database = database(&hub);
        let mut lines = database.prepare("SELECT seq, action FROM audit").expect("it is there");
        let lines = lines.query_map([], |row| row.get::<_, String>(1)).expect("lines");
        lines.collect::<Result<Vec<_>, _>>().expect("texts")
    };
    let before = dump();
    for path in ["/console/", "/console/sign-out", "/console/sign-in", "/console/factor/again"] {
        browser.get(path).await;
    }
    assert_eq!(dump(), before);
    assert!(is_inside(&mut browser).await);
    // Strict cookies stay away from such a request; the answer must not replace them.
    let link = Client::new().get(format!("{}/console/", hub.url));
    let shown = link.header("sec-fetch-site", "cross-site").send().await.expect("an answer");
    assert!(shown.headers().get("set-cookie").is_none());
}

#[tokio::test]
async fn std_40_pages_load_and_send_nothing_elsewhere_and_names_stay_text() {
    let hub = hub_with(&["--public-url", "https://hub.example.org"]).await;
    let mut browser = Browser::new(&hub);
    let first = browser.get("/console/").await;
    let typed = [("login", "\"><script>alert(1)</script>"), ("password", "x"), ("otp", "")];
    let wrong = browser.post("/console/sign-in", &first, &typed).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.html.contains("<script"), "{}", wrong.html);
    let missing = browser.get("/console/nothing/here").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let method = browser.get("/console/sign-out").await;
    assert_eq!((method.status, method.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    let mut operator = operator(&hub).await;
    let inside = operator.get("/console/").await;
    for page in [first, wrong, missing, method, inside] {
        let policy = page.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "base-uri 'none'",
            "object-src 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("strict-transport-security").starts_with("max-age=31536000"));
        assert!(page.html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{}", page.html);
        assert!(!page.html.contains("style=") && !page.html.contains("<script"), "{}", page.html);
    }
}

#[tokio::test]
async fn std_40_programs_hear_problems_where_browsers_see_pages() {
    let hub = hub().await;
    let (status, problem) = send(hub.get("/console/nothing")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(problem["type"], "urn:kirana:problem:not-found");
    let large = || hub.form("/console/sign-in", &"x".repeat(1_100_000));
    let (status, problem) = send(large()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem}");
    let shown = Browser::new(&hub).shown(large()).await;
    assert_eq!(shown.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(shown.html.starts_with("<!doctype html>"), "{}", shown.html);
}

#[tokio::test]
async fn std_40_signing_in_leads_to_the_overview_whatever_the_address_says() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get("/console/?next=https://evil.example&done=https://evil.example").await;
    assert!(!page.html.contains("evil.example"), "{}", page.html);
    let typed =
        [("login", ROOT), ("password", PASSWORD), ("otp", ""), ("next", "https://evil.example")];
    let sent = browser.post("/console/sign-in?next=https://evil.example", &page, &typed).await;
    assert_eq!((sent.status, sent.header("location")), (StatusCode::SEE_OTHER, "/console/"));
}

#[tokio::test]
async fn std_39_other_origins_may_call_the_api_when_they_are_listed_and_else_not() {
    let config = tempfile::NamedTempFile::new().expect("a file");
    let listed = "cors_origins = ['https://shop.example.org']\n";
    std::fs::write(config.path(), listed).expect("written");
    let path = config.path().to_str().expect("a path");
    let (listing, plain) = (Running::start(&["--config", path]), Running::start(&[]));
    let ask = |hub: &Running, path: &str, origin: &str| {
        let preflight = hub.client.request(reqwest::Method::OPTIONS, format!("{}{path}", hub.url));
        let preflight = preflight.header("access-control-request-method", "POST");
        [hub.get(path), preflight].map(|request| request.header("origin", origin).send())
    };
    let allowed = async |hub: &Running, path: &str, origin: &str| {
        let mut all = Vec::new();
        for asked in ask(hub, path, origin) {
            let headers = asked.await.expect("an answer").headers().clone();
            assert!(headers.get("access-control-allow-credentials").is_none());
            let origin = headers.get("access-control-allow-origin").cloned();
            all.push(origin.map(|origin| origin.to_str().expect("text").to_owned()));
        }
        all
    };
    let own = "https://shop.example.org";
    let yes = vec![Some(own.to_owned()), Some(own.to_owned())];
    assert_eq!(allowed(&listing, "/v1/hubs", own).await, yes);
    let no: Vec<Option<String>> = vec![None, None];
    for other in ["https://evil.example", "http://shop.example.org", "https://shop.example.org.a"] {
        assert_eq!(allowed(&listing, "/v1/hubs", other).await, no, "{other}");
    }
    assert_eq!(allowed(&listing, "/console/", own).await, no, "the console is nobody else's");
    for path in ["/v1/hubs", "/v1/me", "/console/", "/nothing"] {
        assert_eq!(allowed(&plain, path, own).await, no);
        let answer = plain.get(path).header("origin", own).send().await.expect("an answer");
        let cors = |name: &str| name.starts_with("access-control-");
        assert!(!answer.headers().keys().any(|name| cors(name.as_str())), "{path}");
    }
}

#[tokio::test]
async fn std_36_guesses_at_the_console_are_slowed_down_on_a_page_that_says_so() {
    let hub = hub().await;
    let mut browser = Browser::new(&hub);
    let page = browser.get("/console/").await;
    for tries in 0..60 {
        let typed = [("login", ROOT), ("password", "not the right words"), ("otp", "")];
        let shown = browser.post("/console/sign-in", &page, &typed).await;
        if shown.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(tries >= 5, "{tries} tries");
            assert!(shown.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
            assert!(shown.is_sign_in() && shown.html.contains("too many"), "{}", shown.html);
            return;
        }
        assert_eq!(shown.status, StatusCode::UNAUTHORIZED, "{}", shown.html);
    }
    panic!("nobody was slowed down");
}

#[tokio::test]
async fn std_34_the_secret_that_one_browser_began_is_shown_to_no_other() {
    let hub = hub().await;
    let (mut owner, mut thief) = (Browser::new(&hub), Browser::new(&hub));
    owner.sign_in(ROOT, "").await;
    thief.sign_in(ROOT, "").await;
    let page = thief.get("/console/factor").await;
    let secret = between(&page.html, "<b class=\"code\">", "</b>").to_owned();
    let page = owner.get("/console/factor").await;
    assert!(!page.html.contains(&secret), "the owner must not enrol what the thief knows");
    assert!(page.html.contains("Somebody signed in"), "{}", page.html);
    assert_eq!(owner.get("/console/factor/qr.svg").await.status, StatusCode::NOT_FOUND);
    let typed = [("otp", &*code(&secret.replace(' ', ""), 0))];
    let refused = owner.post("/console/factor", &page, &typed).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.html);
    let again = owner.post("/console/factor/again", &page, &[]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.html);
    owner.enrol(ROOT).await;
    assert!(is_inside(&mut owner).await && !is_inside(&mut thief).await);
}
