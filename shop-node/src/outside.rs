//! The way out to addresses that people typed: suppliers' lists, what is known of a barcode, and a
//! payment provider.
//!
//! **Invariants:** https only, also after a redirect, but for a program on this machine that the box's
//! settings allow; the address that is connected to is the one that
//! was looked at, so a name that changes its address in between (DNS rebinding) leads nowhere; a
//! secret goes to the place that it was given for and to no other; all that comes has a limit and a
//! time.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Certificate, Client, Method, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap, HeaderValue},
    redirect,
};

pub mod address;

/// How often an answer may send somebody elsewhere.
pub const REDIRECTS_MAX: usize = 5;
/// The longest address, in bytes.
pub const URL_BYTES_MAX: usize = 2_000;
/// How long somebody has to take the call.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the next piece of an answer is waited for.
const PIECE_TIME_MAX: Duration = Duration::from_secs(30);
/// A clock of another machine asks for nothing longer, in seconds: a week.
const RETRY_AFTER_MAX_S: u64 = 7 * 24 * 60 * 60;

/// The way out; cheap to clone.
#[derive(Clone)]
pub struct Outside {
    client: Client,
    /// For programs on this machine, which nobody listens in on.
    here: Client,
    allow_private: bool,
}

/// By what somebody proves there who they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Secret {
    /// Nobody asks.
    #[default]
    None,
    /// A token (RFC 6750).
    Bearer(String),
    /// A name and a password (RFC 7617).
    Basic(String, String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where.
    pub url: Url,
    /// By what the shop proves who it is, at that origin alone.
    pub secret: Secret,
    /// Headers that go along everywhere, such as `If-None-Match`.
    pub headers: HeaderMap,
}

impl Outside {
    /// The way out. `allow_private` lets it reach the shop's own network; `authorities` are trusted
    /// beside those that the system trusts.
    ///
    /// # Errors
    /// [`NotFetched::Setup`].
    pub fn new(allow_private: bool, authorities: Vec<Certificate>) -> Result<Self, NotFetched> {
        // Whoever came first has chosen already; a second choice is not needed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = |https_only| {
            Client::builder()
                .user_agent(concat!("kirana-shop/", env!("CARGO_PKG_VERSION")))
                .https_only(https_only)
                .redirect(redirect::Policy::none())
                .referer(false)
                // A proxy would choose the address in our place.
                .no_proxy()
                .dns_resolver(Arc::new(Looked { allow_private }))
                .connect_timeout(CONNECT_TIME_MAX)
                .read_timeout(PIECE_TIME_MAX)
                .pool_max_idle_per_host(0)
                .tls_certs_merge(authorities.clone())
                .build()
                .map_err(|why| NotFetched::Setup(why.to_string()))
        };
        Ok(Self { client: builder(true)?, here: builder(false)?, allow_private })
    }

    /// [`Outside::new`], as the settings of a box say.
    ///
    /// # Errors
    /// [`NotFetched::Setup`].
    pub fn of(allow_private: bool, authorities: Option<&Path>) -> Result<Self, NotFetched> {
        let authorities = authorities.map(Self::authorities).transpose()?;
        Self::new(allow_private, authorities.unwrap_or_default())
    }

    /// Reads certificates of authorities out of a PEM file.
    ///
    /// # Errors
    /// [`NotFetched::Setup`] names the file.
    pub fn authorities(path: &Path) -> Result<Vec<Certificate>, NotFetched> {
        let bad = |why: String| NotFetched::Setup(format!("{}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|why| bad(why.to_string()))?;
        match Certificate::from_pem_bundle(&pem) {
            Ok(all) if !all.is_empty() => Ok(all),
            Ok(_) => Err(bad("there is no certificate in it".to_owned())),
            Err(why) => Err(bad(why.to_string())),
        }
    }

    /// Asks, and follows where it is sent; the answer's head is here, its body still comes.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn get(&self, asked: &Asked) -> Result<Response, NotFetched> {
        let mut url = checked(asked.url.as_str())?;
        let mut secret = asked.secret.clone();
        for _ in 0..=REDIRECTS_MAX {
            self.may_reach(&url)?;
            let request = self.client.get(url.clone()).headers(asked.headers.clone());
            let request = match &secret {
                Secret::None => request,
                Secret::Bearer(token) => request.bearer_auth(token),
                Secret::Basic(name, password) => request.basic_auth(name, Some(password)),
            };
            let response = request.send().await.map_err(NotFetched::from)?;
            let Some(to) = elsewhere(&response) else { return Ok(response) };
            let next = url.join(to).map_err(|_| NotFetched::Redirect)?;
            let next = checked(next.as_str()).map_err(|_| NotFetched::Redirect)?;
            if next.origin() != url.origin() {
                secret = Secret::None;
            }
            url = next;
        }
        Err(NotFetched::TooManyRedirects)
    }

    /// Calls an API, and goes nowhere else than it was sent: a secret and a sum are for one place.
    ///
    /// # Errors
    /// [`NotFetched`].
    pub async fn call(
        &self,
        method: Method,
        asked: &Asked,
        form: Option<String>,
    ) -> Result<Response, NotFetched> {
        let url = checked_api(asked.url.as_str(), self.allow_private)?;
        self.may_reach(&url)?;
        let client = if url.scheme() == "https" { &self.client } else { &self.here };
        let mut request = client.request(method, url).headers(asked.headers.clone());
        if let Some(form) = form {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request = request.header(header::CONTENT_TYPE, kind).body(form);
        }
        let request = match &asked.secret {
            Secret::None => request,
            Secret::Bearer(token) => request.bearer_auth(token),
            Secret::Basic(name, password) => request.basic_auth(name, Some(password)),
        };
        let response = request.send().await.map_err(NotFetched::from)?;
        match response.status().is_redirection() {
            true => Err(NotFetched::Redirect),
            false => Ok(response),
        }
    }

    /// Whether the box's settings let it reach the shop's own network and this machine.
    pub fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// A number instead of a name is asked of nobody, so it is looked at here.
    fn may_reach(&self, url: &Url) -> Result<(), NotFetched> {
        let number = url.host_str().map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>());
        match number {
            Some(Ok(number)) if !self.allow_private && !address::is_public(number) => {
                Err(NotFetched::Private)
            }
            _ => Ok(()),
        }
    }
}

/// Where an answer sends somebody, if it does.
fn elsewhere(response: &Response) -> Option<&str> {
    use StatusCode as S;
    let sends = [
        S::MOVED_PERMANENTLY,
        S::FOUND,
        S::SEE_OTHER,
        S::TEMPORARY_REDIRECT,
        S::PERMANENT_REDIRECT,
    ];
    let to = response.headers().get(header::LOCATION)?;
    sends.contains(&response.status()).then_some(to)?.to_str().ok()
}

/// Reads an address that may be asked: https, with a name and without a secret in it.
///
/// # Errors
/// [`NotFetched::Url`] says what is wrong.
pub fn checked(url: &str) -> Result<Url, NotFetched> {
    if url.len() > URL_BYTES_MAX {
        return Err(NotFetched::Url("it has up to 2,000 bytes"));
    }
    let url: Url = url.parse().map_err(|_| NotFetched::Url("it is no address"))?;
    if url.scheme() != "https" {
        return Err(NotFetched::Url("it begins with https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(NotFetched::Url("it names a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotFetched::Url("a name and a password are given apart from it"));
    }
    Ok(url)
}

/// Reads the address of an API: as [`checked`], or plain http on this machine where the settings allow
/// it to be reached.
///
/// # Errors
/// [`NotFetched::Url`] says what is wrong.
pub fn checked_api(url: &str, allow_private: bool) -> Result<Url, NotFetched> {
    if !url.starts_with("http://") {
        return checked(url);
    }
    let url = checked(&url.replacen("http://", "https://", 1))
        .ok()
        .and_then(|_| url.parse::<Url>().ok())
        .ok_or(NotFetched::Url("it is no address"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host.parse::<IpAddr>().is_ok_and(|number| number.is_loopback());
    match is_here && allow_private {
        true => Ok(url),
        false => Err(NotFetched::Url(
            "it begins with https://, or is a number of this machine that the box's settings allow \
             (outside-allow-private)",
        )),
    }
}

/// An address without what may be secret in it.
pub fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_fragment(None);
    let had_query = url.query().is_some();
    shown.set_query(None);
    if had_query { format!("{shown}?…") } else { shown.to_string() }
}

/// When an answer says to ask again, in seconds; only a number counts, no date of another clock.
pub fn retry_after_s(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse::<u64>().ok().map(|seconds| seconds.min(RETRY_AFTER_MAX_S))
}

/// A header's value that came from somewhere else, if it is plain.
pub fn plain(value: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(value).ok()
}

/// Takes the whole of a short answer.
///
/// # Errors
/// [`NotFetched::TooLong`] past `bytes_max`, or that it broke off.
pub async fn whole(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, NotFetched> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(NotFetched::from)? {
        if bytes.len() + piece.len() > bytes_max {
            return Err(NotFetched::TooLong { bytes_max: bytes_max as u64 });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Looks names up and leaves out what may not be reached; the rest is what is connected to.
struct Looked {
    allow_private: bool,
}

impl Resolve for Looked {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may = |address: &SocketAddr| allow_private || address::is_public(address.ip());
            let found: Vec<SocketAddr> = found.filter(may).collect();
            if found.is_empty() {
                return Err(NotPublic.into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// A name that leads nowhere but into the shop's own network.
#[derive(Debug, thiserror::Error)]
#[error("{}", NotFetched::Private)]
struct NotPublic;

/// Why nothing came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFetched {
    /// It cannot be asked.
    #[error("the address cannot be used: {0}")]
    Url(&'static str),
    /// It leads into the shop's own network.
    #[error(
        "the address leads into a private network: only the box's own settings can allow that \
         (outside-allow-private)"
    )]
    Private,
    /// It sent us to where nothing may be fetched.
    #[error("the server sent us to an address that cannot be used: only https is followed")]
    Redirect,
    /// Round and round.
    #[error("the server sent us on more than {REDIRECTS_MAX} times")]
    TooManyRedirects,
    /// The connection did not come about, or broke.
    #[error("the server cannot be reached: {0}")]
    Unreached(String),
    /// It took too long.
    #[error("the server did not answer in time")]
    Late,
    /// It said something else than the thing.
    #[error("the server answered {status}")]
    Status {
        /// What it said.
        status: u16,
        /// After how many seconds to ask again, where it said so.
        retry_after_s: Option<u64>,
    },
    /// More than fits.
    #[error("the answer is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: u64,
    },
    /// The way out could not be made.
    #[error("the settings for what is fetched cannot be used: {0}")]
    Setup(String),
}

impl From<reqwest::Error> for NotFetched {
    fn from(why: reqwest::Error) -> Self {
        if why.is_timeout() {
            return Self::Late;
        }
        // Without the address: it may hold a secret.
        let why = why.without_url();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&why);
        let mut last = why.to_string();
        while let Some(inner) = cause {
            if inner.is::<NotPublic>() {
                return Self::Private;
            }
            last = inner.to_string();
            cause = inner.source();
        }
        Self::Unreached(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_with_a_name_and_without_a_secret_is_asked() {
        assert!(checked("https://supplier.example/list.csv?key=1").is_ok());
        for bad in [
            "http://supplier.example/list.csv",
            "file:///etc/passwd",
            "ftp://a.example/",
            "https://user:word@supplier.example/",
            "https://user@supplier.example/",
            "https://",
            "supplier.example",
            "data:text/csv,name",
            "",
        ] {
            assert!(matches!(checked(bad), Err(NotFetched::Url(_))), "{bad}");
        }
        let long = |bytes: usize| format!("https://a.example/{}", "x".repeat(bytes - 18));
        assert!(checked(&long(URL_BYTES_MAX)).is_ok());
        assert!(checked(&long(URL_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn an_api_is_called_by_https_or_on_this_machine_where_that_is_allowed() {
        for here in ["http://127.0.0.1:8420", "http://[::1]:1/v1", "http://127.9.9.9/"] {
            assert!(checked_api(here, true).is_ok(), "{here}");
            assert!(checked_api(here, false).is_err(), "{here}");
        }
        for bad in [
            "http://api.stripe.com",
            "http://localhost:8420",
            "http://10.0.0.1/",
            "http://127.0.0.1.evil.example/",
            "http://user:word@127.0.0.1/",
            "ftp://127.0.0.1/",
        ] {
            assert!(checked_api(bad, true).is_err(), "{bad}");
        }
        assert!(checked_api("https://api.stripe.com", false).is_ok());
    }

    #[test]
    fn what_may_be_secret_in_an_address_is_not_shown() {
        let url = checked("https://supplier.example/list.csv?key=s3cret#part").expect("fine");
        assert_eq!(shown(&url), "https://supplier.example/list.csv?…");
        assert_eq!(format!("{:?}", Secret::Bearer("s3cret".into())), "Secret");
    }

    #[test]
    fn numbers_in_an_address_are_looked_at_however_they_are_written() {
        let outside = Outside::new(false, Vec::new()).expect("a way out");
        for private in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/",
        ] {
            let url = checked(private).expect("an address");
            assert_eq!(outside.may_reach(&url), Err(NotFetched::Private), "{private}");
        }
        assert_eq!(outside.may_reach(&checked("https://1.1.1.1/").expect("fine")), Ok(()));
    }

    #[test]
    fn a_week_is_the_longest_that_a_server_can_ask_for() {
        let of = |text: &'static str| {
            let headers = [(header::RETRY_AFTER, HeaderValue::from_static(text))];
            retry_after_s(&headers.into_iter().collect())
        };
        assert_eq!(of("120"), Some(120));
        assert_eq!(of("99999999999"), Some(RETRY_AFTER_MAX_S));
        assert_eq!((of("soon"), of("-1"), of("Fri, 27 Nov 2026 10:00:00 GMT")), (None, None, None));
    }
}
