//! Speaks with the payment provider while the shop is open: makes the calls that wait, asks how payments
//! stand, and once in a while for all that the provider took.
//!
//! **Invariant:** before a call is made again, the provider is asked whether it was done: nothing happens
//! twice there, also where it has forgotten the idempotency key.

use std::{sync::Arc, time::Duration};

use kirana_core::time::UnixMs;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::sync::{Mutex, Notify};

use crate::{
    app::{
        Shop,
        cards::{self, Account, Answered, Intent, Job, NotByCard, SWEPT_MS, Status},
        holding::HOUR_MS,
        orders::NotDone,
    },
    clock,
    outside::{Asked, NotFetched, Outside, Secret, retry_after_s, whole},
    store::cards::{Charge, What},
};

/// How long the provider has to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// The longest answer, in bytes: a page of a hundred charges.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How often somebody looks whether something is to be done.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How often the provider is asked for all that it took.
const SWEEP_MS: u64 = 6 * HOUR_MS;
/// After how long it is asked again where it gave no answer.
const SWEEP_AGAIN_MS: u64 = HOUR_MS / 6;
/// The most pages that are asked for then.
const PAGES_MAX: usize = 50;

/// Payments by card of one shop; cheap to clone.
#[derive(Clone)]
pub struct Cards {
    shop: Shop,
    outside: Outside,
    /// One round at a time; when the provider was asked last for all that it took, in vain or not.
    turn: Arc<Mutex<UnixMs>>,
    woken: Arc<Notify>,
}

/// Why the provider gave no answer that helps.
enum Ailing {
    /// It may next time.
    Later { why: String, retry_after_s: Option<u64> },
    /// It said no.
    Refused(String),
}

impl From<NotFetched> for Ailing {
    fn from(why: NotFetched) -> Self {
        Self::Later { why: why.to_string(), retry_after_s: None }
    }
}

impl From<Ailing> for Answered {
    fn from(why: Ailing) -> Self {
        match why {
            Ailing::Later { why, retry_after_s } => Self::Later { why, retry_after_s },
            Ailing::Refused(why) => Self::Refused(why),
        }
    }
}

impl Cards {
    /// The cards of a shop, whose provider is called this way.
    pub fn new(shop: Shop, outside: Outside) -> Self {
        Self { shop, outside, turn: Arc::default(), woken: Arc::default() }
    }

    /// Something is to be done: it is looked for at once.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Whether this box may call programs on this machine and in the shop's own network.
    pub fn allows_private(&self) -> bool {
        self.outside.allows_private()
    }

    /// Does whatever is to be done, for as long as it is let.
    pub async fn run(self) {
        if let Err(why) = self.shop.wake_card_calls(clock::now()) {
            tracing::warn!(error = %why, "calls to the payment provider wait");
        }
        loop {
            match self.round().await {
                Ok(true) => {}
                Ok(false) => {
                    // Another process may want something too, which wakes nobody here.
                    let _ = tokio::time::timeout(LOOK_AGAIN, self.woken.notified()).await;
                }
                Err(why) => {
                    tracing::warn!(error = %why, "payments by card wait");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// Follows the orders, makes the calls that wait and asks how payments stand; whether there was
    /// anything to be done.
    ///
    /// # Errors
    /// [`NotDone`] when nothing can be stored.
    pub async fn round(&self) -> Result<bool, NotDone> {
        let mut asked_at = self.turn.lock().await;
        let Some(account) = self.shop.cards()? else { return Ok(false) };
        let provider = Provider { outside: &self.outside, account: &account };
        let shop = self.shop.clone();
        let mut busy =
            self.store(move || shop.advance_cards(clock::now(), &mut clock::rng())).await? > 0;
        loop {
            let shop = self.shop.clone();
            let begin = move || shop.begin_card_call(clock::now(), &mut clock::rng());
            let Some(job) = self.store(begin).await? else { break };
            let came = provider.make(&job).await;
            if let Answered::Later { why, .. } | Answered::Refused(why) = &came {
                let (what, n) = (job.call.what.label(), job.call.attempts);
                tracing::warn!(order.id = %job.order, what, attempt = n, why, "the provider was told in vain");
            }
            let (shop, n) = (self.shop.clone(), job.call.n);
            let end = move || shop.end_card_call(n, came, clock::now(), &mut clock::rng());
            self.store(end).await?;
            busy = true;
        }
        for (n, intent) in self.shop.cards_to_look_at(clock::now())? {
            let said = provider.intent(&intent).await.ok();
            let shop = self.shop.clone();
            let saw = move || shop.saw_card(n, said, clock::now(), &mut clock::rng());
            self.store(saw).await?;
        }
        let (now, swept) = (clock::now(), self.shop.cards_swept()?);
        let is_due = swept.is_none_or(|swept| now.since(swept) > SWEEP_MS);
        if is_due && account.secret.is_some() && now.since(*asked_at) > SWEEP_AGAIN_MS {
            *asked_at = now;
            if let Err(why) = self.sweep_now(&account).await {
                tracing::info!(error = %why, "the provider was asked in vain for what it took");
            }
        }
        Ok(busy)
    }

    /// Asks the provider now for all that it took.
    ///
    /// # Errors
    /// [`NotByCard`].
    pub async fn sweep(&self) -> Result<(), NotByCard> {
        let _turn = self.turn.lock().await;
        let account = self.shop.cards()?.ok_or(NotByCard::Off)?;
        self.sweep_now(&account).await
    }

    async fn sweep_now(&self, account: &Account) -> Result<(), NotByCard> {
        let (provider, begun) = (Provider { outside: &self.outside, account }, clock::now());
        let since = begun.minus_ms(SWEPT_MS);
        let charges = provider.charges(since).await.map_err(|why| match why {
            Ailing::Later { why, .. } | Ailing::Refused(why) => NotByCard::Provider(why),
        })?;
        self.shop.note_charges(charges, begun)
    }

    /// Runs what may wait for the disk on a thread that may.
    async fn store<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, NotDone> + Send + 'static,
    ) -> Result<T, NotDone> {
        match tokio::task::spawn_blocking(job).await {
            Ok(done) => done,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

/// The provider's API, as it is called with the shop's key.
struct Provider<'a> {
    outside: &'a Outside,
    account: &'a Account,
}

type Fields = Vec<(&'static str, String)>;

impl Provider<'_> {
    /// Makes a call. One that was begun before is asked about first.
    async fn make(&self, job: &Job) -> Answered {
        let made = match (job.call.what, job.intent.as_deref()) {
            (What::Create, _) => self.create(job).await.map(Answered::Intent),
            (_, None) => Err(Ailing::Refused("the provider has no such payment".to_owned())),
            (What::Capture, Some(intent)) => {
                let fields = vec![("amount_to_capture", job.call.minor.to_string())];
                self.change(job, intent, "capture", fields).await
            }
            (What::Cancel, Some(intent)) => self.change(job, intent, "cancel", Vec::new()).await,
            (What::Refund, Some(intent)) => self.refund(job, intent).await,
        };
        made.unwrap_or_else(Answered::from)
    }

    async fn create(&self, job: &Job) -> Result<Intent, Ailing> {
        let fields = vec![
            ("amount", job.call.minor.to_string()),
            ("currency", job.currency.as_str().to_ascii_lowercase()),
            ("capture_method", "manual".to_owned()),
            ("payment_method_types[]", "card".to_owned()),
            ("metadata[order]", job.order.to_string()),
            ("metadata[number]", job.number.clone()),
            ("metadata[kirana]", job.call.key.clone()),
        ];
        self.read(
            self.post("/v1/payment_intents", fields, Some(&job.call.key)).await?,
            cards::intent,
        )
    }

    /// Takes or lets go what is held. Where the provider says no, it is asked how the payment stands.
    async fn change(
        &self,
        job: &Job,
        intent: &str,
        what: &str,
        fields: Fields,
    ) -> Result<Answered, Ailing> {
        if job.call.attempts > 1 {
            let said = self.intent(intent).await?;
            if matches!(said.status, Status::Taken | Status::CalledOff) {
                return Ok(Answered::Intent(said));
            }
        }
        let path = format!("/v1/payment_intents/{intent}/{what}");
        match self.post(&path, fields, Some(&job.call.key)).await {
            // The answer may tell of the payment without telling what was taken.
            Ok(_) => Ok(Answered::Intent(self.intent(intent).await?)),
            Err(Ailing::Refused(why)) => {
                let said = self.intent(intent).await?;
                match said.status {
                    Status::Taken | Status::CalledOff => Ok(Answered::Intent(said)),
                    Status::Open | Status::Held => Err(Ailing::Refused(why)),
                }
            }
            Err(later) => Err(later),
        }
    }

    /// Gives a sum back. Who gives twice loses money, so what went back under this key is looked for
    /// first.
    async fn refund(&self, job: &Job, intent: &str) -> Result<Answered, Ailing> {
        // Also the first time: a box that was lost may have done it.
        let path = format!("/v1/refunds?payment_intent={intent}&limit=100");
        let backs = self.read(self.get(&path).await?, cards::refunds)?;
        let ours = |(_, _, key, failed): &&(String, i64, Option<String>, bool)| {
            key.as_deref() == Some(job.call.key.as_str()) && !failed
        };
        if let Some((_, minor, ..)) = backs.iter().find(ours) {
            return Ok(Answered::Refunded { minor: *minor });
        }
        let fields = vec![
            ("payment_intent", intent.to_owned()),
            ("amount", job.call.minor.to_string()),
            ("metadata[kirana]", job.call.key.clone()),
        ];
        let made = self.post("/v1/refunds", fields, Some(&job.call.key)).await?;
        match self.read(made, cards::refund)? {
            (_, _, _, true) => Err(Ailing::Refused("the card's bank did not take it".to_owned())),
            (_, minor, ..) => Ok(Answered::Refunded { minor }),
        }
    }

    async fn intent(&self, intent: &str) -> Result<Intent, Ailing> {
        let path = format!("/v1/payment_intents/{intent}?expand[]=latest_charge");
        self.read(self.get(&path).await?, cards::intent)
    }

    /// All that the provider took since a time.
    async fn charges(&self, since: UnixMs) -> Result<Vec<Charge>, Ailing> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let from = since.get() / 1_000;
            let mut path = format!("/v1/charges?limit=100&created[gt]={from}");
            if let Some(after) = &after {
                path.push_str(&format!("&starting_after={after}"));
            }
            let page = self.read(self.get(&path).await?, cards::charges)?;
            all.extend(page.all);
            after = page.more_after;
            if after.is_none() {
                break;
            }
        }
        Ok(all)
    }

    fn read<T>(&self, bytes: Vec<u8>, read: impl Fn(&[u8]) -> Option<T>) -> Result<T, Ailing> {
        let why = "the provider's answer cannot be read".to_owned();
        read(&bytes).ok_or(Ailing::Later { why, retry_after_s: None })
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, Ailing> {
        self.ask(Method::GET, path, None, None).await
    }

    async fn post(&self, path: &str, fields: Fields, key: Option<&str>) -> Result<Vec<u8>, Ailing> {
        self.ask(Method::POST, path, Some(form(&fields)), key).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        form: Option<String>,
        key: Option<&str>,
    ) -> Result<Vec<u8>, Ailing> {
        let no_key = || Ailing::Later {
            why: "the shop has no key of the provider's".to_owned(),
            retry_after_s: None,
        };
        let secret = self.account.secret.as_ref().ok_or_else(no_key)?;
        let root = self.account.base.as_str().trim_end_matches('/');
        let url: Url = format!("{root}{path}").parse().map_err(|_| no_key())?;
        let mut headers = HeaderMap::new();
        if let Some(value) = key.and_then(|key| HeaderValue::from_str(key).ok()) {
            headers.insert(HeaderName::from_static("idempotency-key"), value);
        }
        let asked = Asked { url, secret: Secret::Bearer(secret.to_string()), headers };
        let answer = async {
            let answer = self.outside.call(method, &asked, form).await?;
            let (status, wait) = (answer.status(), retry_after_s(answer.headers()));
            Ok::<_, NotFetched>((status, wait, taken(answer).await?))
        };
        let answer = tokio::time::timeout(ANSWER_TIME_MAX, answer).await;
        let (status, retry_after_s, bytes) = answer.map_err(|_| NotFetched::Late)??;
        if status.is_success() {
            return Ok(bytes);
        }
        let why = said(status, &bytes);
        // What is no fault of the request may be well later: a key that is exchanged, a full line, a
        // call under the same key that is still under way.
        let is_passing = matches!(status.as_u16(), 401 | 403 | 408 | 409 | 425 | 429);
        match is_passing || status.is_server_error() {
            true => Err(Ailing::Later { why, retry_after_s }),
            false => Err(Ailing::Refused(why)),
        }
    }
}

async fn taken(answer: Response) -> Result<Vec<u8>, NotFetched> {
    whole(answer, ANSWER_BYTES_MAX).await
}

/// What the provider says is wrong: its code and status, never more, since its words may name persons.
fn said(status: StatusCode, bytes: &[u8]) -> String {
    let json: Option<Value> = serde_json::from_slice(bytes).ok();
    let code = json.as_ref().and_then(|json| json["error"]["code"].as_str());
    let plain = |code: &&str| {
        code.len() <= 60 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match code.filter(plain) {
        Some(code) => format!("the provider answered {} ({code})", status.as_u16()),
        None => format!("the provider answered {}", status.as_u16()),
    }
}

/// Fields as a form is sent (application/x-www-form-urlencoded).
fn form(fields: &Fields) -> String {
    let mut url: Url = "https://form.invalid/".parse().expect("an address");
    if !fields.is_empty() {
        url.query_pairs_mut().extend_pairs(fields);
    }
    url.query().unwrap_or_default().to_owned()
}
