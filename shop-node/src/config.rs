//! The shop's settings, parsed once from the command line and an optional file.
//!
//! **Invariant:** nothing else reads the environment, and a key that is not known stops the start.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Format, Toml},
};
use kirana_paper::fonts::Fonts;
use serde::Deserialize;

use crate::{
    app::holding::{HELD_MS_DEFAULT, HOUR_MS},
    outside,
};

/// What the file and the command line may say; what is absent keeps its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Given {
    /// Where to listen for HTTP.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<SocketAddr>,
    /// Where to listen for households and hubs.
    #[arg(long, value_name = "MULTIADDR")]
    pub p2p: Option<String>,
    /// How the world names this shop: the issuer of the tokens that it gives.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Hubs that keep mail for this shop, with their peer ids; at most three.
    #[arg(long = "hub", value_name = "MULTIADDR")]
    pub hubs: Vec<String>,
    /// How many hours the goods of an accepted order are kept for a customer who was to fetch them,
    /// after it was accepted, the agreed time, and they were ready; 48 unless given.
    #[arg(long, value_name = "HOURS")]
    pub hold_hours: Option<u32>,
    /// Call such orders off then, as not collected; otherwise they are only listed.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub release_unclaimed: Option<bool>,
    /// Announce the shop to devices on the same Wi-Fi.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub announce: Option<bool>,
    /// The longest file that is imported over HTTP, in MiB; 256 unless given.
    #[arg(long, value_name = "MIB")]
    pub import_mib_max: Option<u32>,
    /// Let feeds and look-ups reach the shop's own network too.
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub outside_allow_private: Option<bool>,
    /// Authorities (PEM) that are trusted for feeds and look-ups beside those of the system.
    #[arg(long, value_name = "FILE")]
    pub outside_ca: Option<PathBuf>,
    /// Where barcodes are looked up, such as https://world.openfoodfacts.org; nowhere if left out. It
    /// learns which barcodes the shop asks for.
    #[arg(long, value_name = "URL")]
    pub lookup_url: Option<String>,
    /// TrueType or OpenType fonts for labels in scripts beyond Latin and Devanagari.
    #[arg(long = "font", value_name = "FILE")]
    pub fonts: Vec<PathBuf>,
}

impl Given {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadConfig`] names the file and the key.
    pub fn read(path: &Path) -> Result<Self, BadConfig> {
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
            public_url: self.public_url.or(other.public_url),
            hubs: if self.hubs.is_empty() { other.hubs } else { self.hubs },
            hold_hours: self.hold_hours.or(other.hold_hours),
            release_unclaimed: self.release_unclaimed.or(other.release_unclaimed),
            announce: self.announce.or(other.announce),
            import_mib_max: self.import_mib_max.or(other.import_mib_max),
            outside_allow_private: self.outside_allow_private.or(other.outside_allow_private),
            outside_ca: self.outside_ca.or(other.outside_ca),
            lookup_url: self.lookup_url.or(other.lookup_url),
            fonts: if self.fonts.is_empty() { other.fonts } else { self.fonts },
        }
    }
}

/// The settings that a running shop goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen for HTTP.
    pub http: SocketAddr,
    /// Where to listen for households and hubs.
    pub p2p: String,
    /// How the world names this shop, without a slash at its end.
    pub public_url: Option<String>,
    /// Hubs that keep mail for this shop.
    pub hubs: Vec<String>,
    /// How long the goods of an accepted order are kept, in milliseconds.
    pub held_ms: u64,
    /// Whether what nobody came for is called off by itself then.
    pub release_unclaimed: bool,
    /// Whether the shop announces itself on the local network.
    pub announce: bool,
    /// The longest file that is imported over HTTP, in bytes.
    pub import_bytes_max: u64,
    /// Whether what is fetched may come from the shop's own network.
    pub outside_allow_private: bool,
    /// Authorities that are trusted for it beside those of the system.
    pub outside_ca: Option<PathBuf>,
    /// Where barcodes are looked up, if anywhere.
    pub lookup_url: Option<reqwest::Url>,
    /// Fonts beside the built-in ones.
    pub fonts: Vec<PathBuf>,
}

/// The most hubs that a shop's record names.
pub const HUBS_MAX: usize = 3;
/// Where HTTP is served unless told otherwise: a free port of this machine alone.
const HTTP_DEFAULT: &str = "127.0.0.1:0";
/// Where others reach the shop unless told otherwise.
const P2P_DEFAULT: &str = "/ip4/0.0.0.0/tcp/0";

/// The longest file over HTTP unless told otherwise, in MiB.
const IMPORT_MIB_DEFAULT: u32 = 256;
const MIB: u64 = 1024 * 1024;

impl Config {
    /// Parses what was given into what is gone by.
    ///
    /// # Errors
    /// [`BadConfig`] when a setting cannot be.
    pub fn parse(given: Given) -> Result<Self, BadConfig> {
        if given.hubs.len() > HUBS_MAX {
            return Err(BadConfig::TooManyHubs { given: given.hubs.len() });
        }
        let http = match given.http {
            Some(http) => http,
            None => HTTP_DEFAULT.parse().expect("the default address is one"),
        };
        Ok(Self {
            http,
            p2p: given.p2p.unwrap_or_else(|| P2P_DEFAULT.to_owned()),
            public_url: given.public_url.map(parse_url).transpose()?,
            hubs: given.hubs,
            held_ms: given.hold_hours.map_or(HELD_MS_DEFAULT, |hours| u64::from(hours) * HOUR_MS),
            release_unclaimed: given.release_unclaimed.unwrap_or(false),
            announce: given.announce.unwrap_or(true),
            import_bytes_max: MIB * u64::from(given.import_mib_max.unwrap_or(IMPORT_MIB_DEFAULT)),
            outside_allow_private: given.outside_allow_private.unwrap_or(false),
            outside_ca: given.outside_ca,
            lookup_url: given.lookup_url.map(parse_lookup).transpose()?,
            fonts: given.fonts,
        })
    }
}

/// The built-in fonts, and behind them those of these files.
///
/// # Errors
/// [`BadConfig::Font`] names the file.
pub fn fonts(paths: &[PathBuf]) -> Result<Fonts, BadConfig> {
    paths.iter().try_fold(Fonts::built_in(), |fonts, path| {
        let bad = |why: String| BadConfig::Font { path: path.clone(), why };
        let bytes = std::fs::read(path).map_err(|why| bad(why.to_string()))?;
        fonts.and(bytes).map_err(|why| bad(why.to_string()))
    })
}

fn parse_lookup(given: String) -> Result<reqwest::Url, BadConfig> {
    outside::checked(&given).map_err(|why| BadConfig::LookupUrl { given, why: why.to_string() })
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

/// Settings that the shop does not start with.
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
    /// It cannot be read, or is no font.
    #[error("the font {path} cannot be used: {why}")]
    Font {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is no URL.
    #[error("--public-url takes an address such as http://192.168.1.20:8080, not {given:?}")]
    PublicUrl {
        /// What was given.
        given: String,
    },
    /// It cannot be asked.
    #[error(
        "--lookup-url takes an address such as https://world.openfoodfacts.org, not {given:?}: {why}"
    )]
    LookupUrl {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// A record has room for three.
    #[error("a shop has at most {HUBS_MAX} hubs, not {given}")]
    TooManyHubs {
        /// How many were given.
        given: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "announc = false\n").expect("written");
        let refused = Given::read(file.path());
        assert!(matches!(refused, Err(BadConfig::File { why, .. }) if why.contains("announc")));
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file = Given { p2p: Some("/ip4/0.0.0.0/tcp/1".to_owned()), ..Given::default() };
        let line = Given { p2p: Some("/ip4/0.0.0.0/tcp/2".to_owned()), ..Given::default() };
        assert_eq!(Config::parse(line.or(file)).expect("fine").p2p, "/ip4/0.0.0.0/tcp/2");
    }

    #[test]
    fn a_fourth_hub_is_one_too_many() {
        let hubs =
            |n: usize| Given { hubs: vec!["/ip4/1.2.3.4/tcp/1".to_owned(); n], ..Given::default() };
        assert!(Config::parse(hubs(3)).is_ok());
        assert_eq!(Config::parse(hubs(4)), Err(BadConfig::TooManyHubs { given: 4 }));
    }
}
