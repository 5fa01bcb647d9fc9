//! The hub's settings, parsed once from the command line and an optional file.
//!
//! **Invariant:** nothing else reads the environment, and a key that is not known stops the start.

use std::{net::SocketAddr, path::PathBuf};

use figment::{
    Figment,
    providers::{Format, Toml},
};
use jiff::tz::TimeZone;
use lettre::message::Mailbox;
use serde::Deserialize;

use crate::app::{password::Cost, throttle};

/// What the hub is to its neighbourhood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Accounts, certificates, directory and mail.
    #[default]
    Central,
    /// Directory and mail only: it holds no identity keys.
    Community,
}

/// What the file and the command line may say; what is absent keeps its default.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Given {
    /// Where to listen for HTTP.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Where to listen for other nodes.
    #[arg(long, value_name = "MULTIADDR")]
    pub p2p: Option<String>,
    /// What this hub is.
    #[arg(long)]
    pub role: Option<Role>,
    /// How the world names this hub; also the issuer of its tokens.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// A proxy in front ends TLS, so a plain bind beyond this machine is allowed.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub behind_tls: Option<bool>,
    /// Approve shops and community hubs that apply without asking anybody: for a demonstration.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub auto_approve: Option<bool>,
    /// The hub whose roster to trust, by its http address, or a file with a roster. A hub is asked
    /// again and again for what is newer, and certifies this one where it is a community's.
    #[arg(long, value_name = "FILE|URL")]
    pub trust_roster: Option<String>,
    /// The zone that shops' opening hours are meant in, such as Asia/Kolkata; this machine's own
    /// unless given.
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Origins whose pages may call the API from a browser, such as `https://shop.example.org`.
    #[serde(alias = "cors_origins")]
    #[arg(skip)]
    pub cors_origins: Option<Vec<String>>,
    /// Sign-ins and registrations that one address may try in a minute.
    #[arg(long, hide = true)]
    pub sign_ins_per_minute: Option<u32>,
    /// How long a new token key is published before it signs, in seconds.
    #[arg(long, hide = true)]
    pub key_lead_s: Option<u64>,
    /// How many MiB of pictures are kept for households whose shop is dark; 512 unless given, and the one
    /// that nobody asked for the longest makes room.
    #[arg(long, value_name = "MIB")]
    pub pictures_mib_max: Option<u32>,
    /// What a password's hash costs, where that is more than the standard: memory in KiB, passes.
    #[arg(skip)]
    pub argon2_memory_kib: Option<u32>,
    /// See `argon2_memory_kib`.
    #[arg(skip)]
    pub argon2_passes: Option<u32>,
    /// The server that takes letters; without one they are written to `DIR/outbox`.
    #[arg(skip)]
    pub smtp: Option<Box<GivenSmtp>>,
}

/// A mail server, in the file alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GivenSmtp {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    security: Security,
    user: Option<String>,
    password_file: Option<PathBuf>,
    from: Option<String>,
    /// From the environment, which goes before the file.
    #[serde(skip)]
    pub password: Option<Secret>,
}

/// How letters travel to the mail server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    #[default]
    Tls,
    /// TLS once it was asked for; without it nothing is sent.
    Starttls,
    /// In the clear; to this machine only.
    Plain,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How letters travel there.
    pub security: Security,
    /// Who sends, where it wants to know.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
}

/// What is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes it.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Shows it to whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Given {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadConfig`] names the file and the key.
    pub fn read(path: &std::path::Path) -> Result<Self, BadConfig> {
        let bad = |why: String| BadConfig::File { path: path.to_owned(), why };
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        Figment::from(Toml::string(&text)).extract().map_err(|e| bad(e.to_string()))
    }

    /// Fills what is absent here from another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            http: self.http.or(other.http),
            p2p: self.p2p.or(other.p2p),
            role: self.role.or(other.role),
            public_url: self.public_url.or(other.public_url),
            behind_tls: self.behind_tls.or(other.behind_tls),
            auto_approve: self.auto_approve.or(other.auto_approve),
            trust_roster: self.trust_roster.or(other.trust_roster),
            timezone: self.timezone.or(other.timezone),
            cors_origins: self.cors_origins.or(other.cors_origins),
            sign_ins_per_minute: self.sign_ins_per_minute.or(other.sign_ins_per_minute),
            key_lead_s: self.key_lead_s.or(other.key_lead_s),
            pictures_mib_max: self.pictures_mib_max.or(other.pictures_mib_max),
            argon2_memory_kib: self.argon2_memory_kib.or(other.argon2_memory_kib),
            argon2_passes: self.argon2_passes.or(other.argon2_passes),
            smtp: self.smtp.or(other.smtp),
        }
    }
}

/// The settings that a running hub goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the data lies.
    pub data: PathBuf,
    /// Where to listen for HTTP.
    pub http: SocketAddr,
    /// Where to listen for other nodes.
    pub p2p: String,
    /// What this hub is.
    pub role: Role,
    /// How the world names this hub, without a slash at its end.
    pub public_url: Option<String>,
    /// Whether applicants are approved unasked.
    pub auto_approve: bool,
    /// Where the roster of hubs to trust comes from.
    pub trust_roster: Option<String>,
    /// Origins whose pages may call the API from a browser.
    pub cors_origins: Vec<String>,
    /// How much guessing is allowed.
    pub limits: throttle::Limits,
    /// How long a new token key is published before it signs, in milliseconds.
    pub key_lead_ms: u64,
    /// How many bytes of pictures are kept.
    pub pictures_bytes_max: u64,
    /// The zone that shops' hours are meant in, unless they say another.
    pub timezone: TimeZone,
    /// What a password's hash costs.
    pub cost: Cost,
    /// The server that takes letters.
    pub smtp: Option<Smtp>,
    /// Who writes them.
    pub mail_from: Mailbox,
}

/// Where HTTP is served unless told otherwise: a free port of this machine alone.
const HTTP_DEFAULT: &str = "127.0.0.1:0";
/// Where other nodes reach this one unless told otherwise.
const P2P_DEFAULT: &str = "/ip4/0.0.0.0/tcp/0";
/// How long a token key is published before it signs: twice what a reader may cache.
pub const KEY_LEAD_MS_DEFAULT: u64 = 30_000;
const PICTURES_MIB_DEFAULT: u32 = 512;
const MIB: u64 = 1024 * 1024;

impl Config {
    /// Parses what was given into what is gone by.
    ///
    /// # Errors
    /// [`BadConfig`] when the settings contradict each other.
    pub fn parse(data: PathBuf, given: Given) -> Result<Self, BadConfig> {
        let http = match given.http {
            Some(http) => http,
            None => HTTP_DEFAULT.parse().expect("the default address is one"),
        };
        if !http.ip().is_loopback() && !given.behind_tls.unwrap_or(false) {
            return Err(BadConfig::PlainBind { http });
        }
        let public_url = given.public_url.map(parse_url).transpose()?;
        let from = given.smtp.as_ref().and_then(|smtp| smtp.from.as_deref());
        let mail_from = mail_from(from, public_url.as_deref())?;
        let defaults = throttle::Limits::default();
        let per_address_minute = given.sign_ins_per_minute.unwrap_or(defaults.per_address_minute);
        Ok(Self {
            data,
            http,
            p2p: given.p2p.unwrap_or_else(|| P2P_DEFAULT.to_owned()),
            role: given.role.unwrap_or_default(),
            public_url,
            auto_approve: given.auto_approve.unwrap_or(false),
            trust_roster: given.trust_roster,
            cors_origins: cors_origins(given.cors_origins.unwrap_or_default())?,
            limits: throttle::Limits { per_address_minute, ..defaults },
            timezone: given.timezone.map_or_else(|| Ok(TimeZone::system()), zone)?,
            key_lead_ms: given.key_lead_s.map_or(KEY_LEAD_MS_DEFAULT, |s| s.saturating_mul(1000)),
            pictures_bytes_max: MIB
                * u64::from(given.pictures_mib_max.unwrap_or(PICTURES_MIB_DEFAULT)),
            cost: cost(given.argon2_memory_kib, given.argon2_passes)?,
            smtp: given.smtp.map(|smtp| smtp.parse()).transpose()?,
            mail_from,
        })
    }
}

fn zone(given: String) -> Result<TimeZone, BadConfig> {
    TimeZone::get(&given).map_err(|_| BadConfig::Timezone { given })
}

fn cost(memory_kib: Option<u32>, passes: Option<u32>) -> Result<Cost, BadConfig> {
    let standard = Cost::STANDARD;
    let memory_kib = memory_kib.unwrap_or(standard.memory_kib);
    let passes = passes.unwrap_or(standard.passes);
    let cost = Cost { memory_kib, passes };
    match cost.meets_standard() && memory_kib <= COST_MAX.memory_kib && passes <= COST_MAX.passes {
        true => Ok(cost),
        false => Err(BadConfig::Cost { memory_kib, passes }),
    }
}

impl GivenSmtp {
    fn parse(self) -> Result<Smtp, BadConfig> {
        let Self { host, port, security, user, password_file, password, .. } = self;
        let is_here = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if security == Security::Plain && !is_here {
            return Err(BadConfig::PlainMail { host });
        }
        let read = |path: PathBuf| match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(error) => Err(BadConfig::File { path, why: error.to_string() }),
        };
        let password = match (password, password_file) {
            (Some(password), _) => Some(password),
            (None, path) => path.map(read).transpose()?,
        };
        if user.is_some() && password.is_none() {
            return Err(BadConfig::MailPassword);
        }
        let port = port.unwrap_or(match security {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::Plain => 25,
        });
        Ok(Smtp { host, port, security, user, password })
    }
}

/// Who writes letters: as given, or the hub by its own name.
fn mail_from(given: Option<&str>, public_url: Option<&str>) -> Result<Mailbox, BadConfig> {
    if let Some(given) = given {
        return given.parse().map_err(|_| BadConfig::MailFrom { given: given.to_owned() });
    }
    let url = public_url.and_then(|url| url::Url::parse(url).ok());
    let domain = url.as_ref().and_then(url::Url::domain).unwrap_or("localhost");
    let from = format!("kirana <kirana@{domain}>");
    from.parse().map_err(|_| BadConfig::MailFrom { given: from.clone() })
}

fn parse_url(given: String) -> Result<String, BadConfig> {
    let url = given.trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ', '@']) => {
            Ok(url.to_owned())
        }
        _ => Err(BadConfig::PublicUrl { given }),
    }
}

/// Beyond this a sign-in takes many seconds on any machine.
const COST_MAX: Cost = Cost { memory_kib: 1024 * 1024, passes: 100 };

/// An origin as browsers write it: they compare nothing less exactly.
fn cors_origins(given: Vec<String>) -> Result<Vec<String>, BadConfig> {
    for origin in &given {
        let url = url::Url::parse(origin).ok().filter(|url| url.origin().is_tuple());
        if url.is_none_or(|url| url.origin().ascii_serialization() != *origin) {
            return Err(BadConfig::CorsOrigin { given: origin.clone() });
        }
    }
    Ok(given)
}

/// Settings that the hub does not start with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// The file is not there, is no TOML, or holds something unknown.
    #[error("the settings in {path} cannot be used: {why}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Passwords would cross the network in the clear.
    #[error(
        "{http} is reachable from other machines without TLS; put a proxy that ends TLS in front \
         and say --behind-tls, or listen on 127.0.0.1"
    )]
    PlainBind {
        /// The address asked for.
        http: SocketAddr,
    },
    /// It is no zone.
    #[error("--timezone takes a zone as IANA names it, such as Asia/Kolkata, not {given:?}")]
    Timezone {
        /// What was given.
        given: String,
    },
    /// Passwords would be hashed too cheaply, or so that nobody gets in.
    #[error(
        "argon2-memory-kib = {memory_kib} and argon2-passes = {passes} cannot be used: take from \
         {} to {} KiB and from {} to {} passes",
        Cost::STANDARD.memory_kib, COST_MAX.memory_kib, Cost::STANDARD.passes, COST_MAX.passes
    )]
    Cost {
        /// The memory asked for, in KiB.
        memory_kib: u32,
        /// The passes asked for.
        passes: u32,
    },
    /// Letters would cross the network in the clear.
    #[error(
        "letters to {host} would cross the network in the clear: take security = \"tls\" or \
         \"starttls\""
    )]
    PlainMail {
        /// The mail server.
        host: String,
    },
    /// The mail server wants a password.
    #[error(
        "smtp.user needs a password: name a file in smtp.password-file, or set \
         KIRANA_SMTP_PASSWORD"
    )]
    MailPassword,
    /// Nobody has this address.
    #[error("smtp.from takes an address such as kirana@example.org, not {given:?}")]
    MailFrom {
        /// What was given.
        given: String,
    },
    /// It is no origin.
    #[error(
        "cors-origins lists origins such as https://shop.example.org, without a path, a slash at \
         the end or a star, not {given:?}"
    )]
    CorsOrigin {
        /// What was given.
        given: String,
    },
    /// It is no URL.
    #[error("--public-url takes an address such as https://hub.example.org, not {given:?}")]
    PublicUrl {
        /// What was given.
        given: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<Given, BadConfig> {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("written");
        Given::read(file.path())
    }

    #[test]
    fn an_unknown_key_is_named() {
        let refused = given("public-url = 'http://a'\nauto-aprove = true\n");
        assert!(matches!(refused, Err(BadConfig::File { why, .. }) if why.contains("auto-aprove")));
    }

    #[test]
    fn a_plain_bind_beyond_this_machine_needs_behind_tls() {
        let open = given("http = '0.0.0.0:8080'\n").expect("parses");
        let refused = Config::parse("d".into(), open.clone());
        assert!(matches!(refused, Err(BadConfig::PlainBind { .. })));
        let tls = Given { behind_tls: Some(true), ..open };
        assert!(Config::parse("d".into(), tls).is_ok());
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file = given("role = 'community'\nhttp = '127.0.0.1:1'\n").expect("parses");
        let line = Given { role: Some(Role::Central), ..Given::default() };
        let config = Config::parse("d".into(), line.or(file)).expect("fine");
        assert_eq!((config.role, config.http.port()), (Role::Central, 1));
    }

    #[test]
    fn std_39_an_origin_is_listed_as_browsers_write_it_or_not_at_all() {
        let listed = |origin: &str| {
            let file = given(&format!("cors_origins = ['{origin}']\n")).expect("parses");
            Config::parse("d".into(), file)
        };
        for origin in ["https://shop.example.org", "http://127.0.0.1:8080"] {
            assert_eq!(listed(origin).expect("fine").cors_origins, [origin]);
        }
        for origin in ["*", "null", "https://a.example/", "https://A.example", "a.example", ""] {
            assert!(matches!(listed(origin), Err(BadConfig::CorsOrigin { .. })), "{origin}");
        }
        assert!(Config::parse("d".into(), Given::default()).expect("fine").cors_origins.is_empty());
    }

    #[test]
    fn the_public_url_loses_its_slash_and_must_be_one() {
        let url = |u: &str| Given { public_url: Some(u.to_owned()), ..Given::default() };
        let config = Config::parse("d".into(), url("https://hub.example.org/")).expect("fine");
        assert_eq!(config.public_url.as_deref(), Some("https://hub.example.org"));
        assert!(Config::parse("d".into(), url("hub.example.org")).is_err());
    }

    #[test]
    fn std_31_a_hash_may_cost_more_than_the_standard_and_never_less() {
        let cost =
            |text: &str| Config::parse("d".into(), given(text).expect("parses")).map(|c| c.cost);
        assert_eq!(cost(""), Ok(Cost::STANDARD));
        let more = Cost { memory_kib: 65_536, passes: 3 };
        assert_eq!(cost("argon2-memory-kib = 65536\nargon2-passes = 3\n"), Ok(more));
        for less in ["argon2-memory-kib = 19455", "argon2-passes = 1", "argon2-passes = 101"] {
            assert!(matches!(cost(less), Err(BadConfig::Cost { .. })), "{less}");
        }
    }
}
