//! Where people are signed in: programs, and browsers at the hub's own pages.
//!
//! **Invariant:** what is shown of a browser opens nothing: its id is made from the digest of its
//! cookie and leads nowhere back.

use kirana_core::{hash::Hash, id::AccountId, key::KeyId, time::UnixMs};
use kirana_migrations::{
    StoreError, WriteError,
    rusqlite::{Connection, params},
};

use super::{
    Never, Store, from_sql,
    session::{Session, SessionId},
    to_sql,
};

/// At what somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// A program that holds tokens.
    Program {
        /// Which; none is one of our own.
        client: Option<String>,
        /// What its tokens may be used for, parted by spaces.
        scope: String,
        /// The device that it is on, where that is known.
        device: Option<KeyId>,
        /// Whether that device's key opened it, without a password.
        by_key: bool,
    },
    /// A browser at the pages that ask whether another program may sign the person in.
    Pages,
    /// A browser at the console.
    Console,
}

impl At {
    /// One word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Program { .. } => "program",
            Self::Pages => "pages",
            Self::Console => "console",
        }
    }
}

/// A place where somebody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: SessionId,
    /// At what.
    pub at: At,
    /// When the person signed in.
    pub created_at: UnixMs,
    /// When it was last used.
    pub used_at: UnixMs,
    /// When it ends, whatever is done there.
    pub ends_at: UnixMs,
}

impl From<Session> for Place {
    fn from(session: Session) -> Self {
        let Session { id, created_at, used_at, ends_at, .. } = session;
        let Session { client, scope, device, by_key, .. } = session;
        let at = At::Program { client, scope, device, by_key };
        Self { id, at, created_at, used_at, ends_at }
    }
}

impl Store {
    /// The browsers in which an account is signed in, newest first; they end when `whole_ms` are
    /// over, and those that rested for `idle_ms` have ended.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn browsers(
        &self,
        account: AccountId,
        (idle_ms, whole_ms): (u64, u64),
        now: UnixMs,
    ) -> Result<Vec<Place>, StoreError> {
        self.read(|c| {
            let mut statement = c.prepare_cached(
                "SELECT id, signed_in, used_at FROM console WHERE account = ?1 LIMIT 1000",
            )?;
            let rows = statement.query_map([account.as_bytes()], |row| {
                Ok((row.get::<_, SessionId>(0)?, row.get(1)?, row.get(2)?))
            })?;
            let console: Vec<_> = rows.collect::<Result<_, _>>()?;
            let console = console.into_iter().map(|row| (At::Console, row));
            let pages = pages_of(c, account)?.into_iter().map(|(digest, signed_in, used_at)| {
                (At::Pages, (id_of_browser(&digest), signed_in, used_at))
            });
            let place = |(at, (id, signed_in, used_at))| {
                let created_at = from_sql(signed_in);
                let (used_at, ends_at) = (from_sql(used_at), created_at.plus_ms(whole_ms));
                Place { id, at, created_at, used_at, ends_at }
            };
            let open = |p: &Place| p.ends_at > now && now.since(p.used_at) < idle_ms;
            let mut found: Vec<_> = console.chain(pages).map(place).filter(open).collect();
            found.sort_by_key(|place| std::cmp::Reverse(place.created_at));
            Ok(found)
        })
        .await
    }

    /// Signs an account out at one place; tells whether it was signed in there.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn leave(
        &self,
        account: AccountId,
        id: SessionId,
        now: UnixMs,
    ) -> Result<bool, WriteError<Never>> {
        self.write(move |tx| {
            let revoked = tx.execute(
                "UPDATE session SET revoked_at = ?3
                 WHERE id = ?1 AND account = ?2 AND revoked_at IS NULL AND ends_at > ?3",
                params![id, account.as_bytes(), to_sql(now)],
            )?;
            let sql = "DELETE FROM console WHERE id = ?1 AND account = ?2";
            let mut left = revoked + tx.execute(sql, params![id, account.as_bytes()])?;
            for (digest, ..) in pages_of(tx, account)? {
                if id_of_browser(&digest) == id {
                    left += tx.execute("DELETE FROM browser WHERE digest = ?1", [digest])?;
                }
            }
            Ok(left > 0)
        })
        .await
    }
}

type Browser = ([u8; 32], i64, i64);

fn pages_of(c: &Connection, account: AccountId) -> Result<Vec<Browser>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT digest, signed_in, used_at FROM browser WHERE account = ?1 LIMIT 1000",
    )?;
    let rows = statement
        .query_map([account.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn id_of_browser(digest: &[u8; 32]) -> SessionId {
    let whole = Hash::of_parts(&[b"kirana browser", digest]);
    let (id, _) = whole.as_bytes().split_at(16);
    id.try_into().expect("sixteen bytes")
}
