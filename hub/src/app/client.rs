//! Programs of others that people may sign in to with their account here (RFC 6749, section 2).
//!
//! **Invariant:** a secret is shown once and kept as a digest; where codes go is compared byte for
//! byte with what was registered.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{hash::Hash, time::UnixMs};
use url::{Host, Url};

use super::{Error, Hub, session::CLIENT};
use crate::{
    clock::{Rng, draw},
    store::{audit::Act, client::Client},
};

/// A client as it is added.
pub struct NewClient {
    /// What it calls itself.
    pub id: String,
    /// Where codes may go.
    pub redirect_uris: Vec<String>,
    /// Whether it can keep a secret.
    pub confidential: bool,
}

/// How a client says who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientProof {
    /// Its id.
    pub id: String,
    /// Its secret, if it has one.
    pub secret: Option<String>,
}

/// Who asks at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// One of our own programs.
    Own,
    /// A program that cannot keep a secret.
    Public(Client),
    /// A program that showed its secret.
    Confidential(Client),
}

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 64;
/// The longest redirect URI, in bytes, and how many a client may have.
const REDIRECT_MAX: (usize, usize) = (1024, 32);

impl Hub {
    /// Adds a client, on the machine itself; the secret of a confidential one is shown only now.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field, [`Error::ClientExists`] when the id is taken.
    pub async fn add_client(
        &self,
        new: NewClient,
        now: UnixMs,
        rng: Rng<'_>,
    ) -> Result<Option<String>, Error> {
        self.central_only()?;
        let NewClient { id, redirect_uris, confidential } = new;
        check(&id, &redirect_uris, confidential)?;
        let secret = confidential.then(|| URL_SAFE_NO_PAD.encode(draw::<32>(rng)));
        let digest = secret.as_deref().map(digest);
        let act = by_hand("client.add", &id, now);
        let client = Client { id, redirect_uris, secret: digest, created_at: now };
        self.store().add_client(client, act).await?;
        Ok(secret)
    }

    /// All clients.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn clients(&self) -> Result<Vec<Client>, Error> {
        self.central_only()?;
        Ok(self.store().clients().await?)
    }

    /// Removes a client and ends all that it was given.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none of this id.
    pub async fn remove_client(&self, id: &str, now: UnixMs) -> Result<(), Error> {
        self.central_only()?;
        match self.store().remove_client(id.to_owned(), by_hand("client.remove", id, now)).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "client" }),
        }
    }

    /// Finds out which program asks; `None` when it is not the one that it says.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recognise(&self, proof: &ClientProof) -> Result<Option<Caller>, Error> {
        self.central_only()?;
        if proof.id == CLIENT {
            return Ok(proof.secret.is_none().then_some(Caller::Own));
        }
        let Some(client) = self.store().client(&proof.id).await? else { return Ok(None) };
        // Both sides are digests of 32 random bytes: how far two of them agree tells nothing.
        Ok(match (client.secret, proof.secret.as_deref().map(digest)) {
            (None, None) => Some(Caller::Public(client)),
            (Some(kept), Some(shown)) if kept == shown => Some(Caller::Confidential(client)),
            _ => None,
        })
    }
}

impl Caller {
    /// The id that sessions carry; none for our own programs.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Own => None,
            Self::Public(client) | Self::Confidential(client) => Some(&client.id),
        }
    }
}

fn by_hand(action: &'static str, id: &str, at: UnixMs) -> Act {
    let actor = super::account::COMMAND_LINE.to_owned();
    Act { at, actor, action, subject: id.to_owned(), outcome: "done" }
}

fn check(id: &str, redirect_uris: &[String], confidential: bool) -> Result<(), Error> {
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if id.is_empty() || id.len() > ID_BYTES_MAX || !plain || id == CLIENT {
        let why = "1 to 64 letters, digits, dots, dashes; not the name of our own programs";
        return Err(Error::Invalid { field: "--id", why });
    }
    let (bytes, count) = REDIRECT_MAX;
    let fits = redirect_uris.iter().all(|uri| uri.len() <= bytes && is_safe_target(uri));
    if !fits || redirect_uris.len() > count || (redirect_uris.is_empty() && !confidential) {
        let why = "https, http on the person's own machine, or a scheme of the app's own with a \
                   dot in it; without a fragment";
        return Err(Error::Invalid { field: "--redirect-uri", why });
    }
    Ok(())
}

/// Whether a code may travel to this address (RFC 8252, RFC 9700).
fn is_safe_target(uri: &str) -> bool {
    if uri.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
        return false;
    }
    let Ok(url) = Url::parse(uri) else { return false };
    match url.scheme() {
        "https" => url.host().is_some() && url.username().is_empty(),
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        },
        own => own.contains('.'),
    }
}

fn digest(secret: &str) -> [u8; 32] {
    *Hash::of_parts(&[b"kirana client secret", secret.as_bytes()]).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_where_nobody_listens_in() {
        for good in [
            "https://till.example.org/back?from=hub",
            "http://127.0.0.1:8123/callback",
            "http://[::1]:1/",
            "http://localhost/cb",
            "org.example.app:/back",
        ] {
            assert!(is_safe_target(good), "{good}");
        }
        for bad in [
            "http://till.example.org/back",
            "https://till.example.org/#part",
            "https://asha@till.example.org/",
            "javascript:alert(1)",
            "data:text/html,a",
            "/back",
            "https://till.example.org/\nhttps://evil.example",
            "",
        ] {
            assert!(!is_safe_target(bad), "{bad}");
        }
    }
}
