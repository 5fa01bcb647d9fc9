//! Everything about one person in one file, and what is left when the person goes.
//!
//! **Invariant:** no secret leaves: neither hashes of passwords nor what an authenticator shares.

use std::collections::BTreeSet;

use kirana_core::{id::AccountId, time::UnixMs};
use kirana_migrations::WriteError;
use serde::Serialize;

use super::{
    Error, Hub,
    history::SignInItem,
    policy::{Action, Actor},
    role,
};
use crate::store::{
    account::NotChanged,
    audit::Act,
    certificate::Device,
    place::{At, Place},
    shop::Shop,
};

/// What the hub holds about a person.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Export {
    /// When it was put together.
    #[schema(value_type = String, format = DateTime)]
    exported_at: UnixMs,
    /// Who the person is.
    account: ExportedAccount,
    /// Where the person is signed in.
    sessions: Vec<ExportedSession>,
    /// Who signed in, or tried to, in the last 90 days.
    sign_ins: Vec<SignInItem>,
    /// The person's second factors.
    second_factors: Vec<ExportedFactor>,
    /// Certificates of the person's devices.
    devices: Vec<ExportedDevice>,
    /// Shops that the person applied for.
    shops: Vec<ExportedShop>,
    /// Administrative acts by or upon the account.
    acts: Vec<ExportedAct>,
    /// What lies elsewhere, and with whom.
    elsewhere: Vec<&'static str>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ExportedAccount {
    #[schema(value_type = String, format = Uuid)]
    id: AccountId,
    login: String,
    email: Option<String>,
    email_verified: bool,
    name: Option<String>,
    phone: Option<String>,
    #[schema(value_type = Object)]
    preferences: serde_json::Map<String, serde_json::Value>,
    notices_by_mail: bool,
    language: String,
    roles: Vec<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ExportedSession {
    id: String,
    at: &'static str,
    client_id: Option<String>,
    scope: Option<String>,
    device: Option<String>,
    by_key: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    #[schema(value_type = String, format = DateTime)]
    used_at: UnixMs,
    #[schema(value_type = String, format = DateTime)]
    ends_at: UnixMs,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ExportedFactor {
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    #[schema(value_type = Option<String>, format = DateTime)]
    confirmed_at: Option<UnixMs>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ExportedDevice {
    key: String,
    #[schema(value_type = String, format = DateTime)]
    issued_at: UnixMs,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ExportedShop {
    id: String,
    name: String,
    place: String,
    state: &'static str,
    /// The SHA-256 of its picture, by which the picture's address names it.
    photo: Option<String>,
}

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
struct ExportedAct {
    #[schema(value_type = String, format = DateTime)]
    at: UnixMs,
    actor: String,
    action: String,
    subject: String,
    outcome: String,
}

const ELSEWHERE: [&str; 4] = [
    "orders, carts, addresses and lists: on the person's own devices; `kirana` shows them",
    "without a device: at this hub, see /v1/orders, /v1/me/carts and /v1/me/addresses",
    "orders with the name and address that were given for them: at each shop that was ordered from",
    "sealed mail on its way to or from the person's devices: the hub keeps it and cannot read it",
];

/// What became of an account that was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Erasure {
    /// What is gone; the key of all that named the person was destroyed.
    pub erased: Vec<&'static str>,
    /// What stays.
    pub kept: Vec<Kept>,
}

/// Something that stays after an account was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Kept {
    /// What it is.
    pub what: &'static str,
    /// Where it lies.
    pub place: &'static str,
    /// Why it stays.
    pub why: &'static str,
}

const ERASED: [&str; 6] = [
    "the key of all that named the person: login, name, email address, phone number, preferences",
    "the password and the second factors, all recovery codes, letters that wait to be sent",
    "the history of sign-ins, and by what the devices were known",
    "all sessions, here and in other programs",
    "the devices' certificates count no more: the next revocation list names them",
    "requests to repeat that named the account",
];

const KEPT: [Kept; 4] = [
    Kept {
        what: "the number of the account, with no name to it",
        place: "this hub, and its list of erased accounts",
        why: "so that nobody gets it again, and no older copy of this hub brings the person back",
    },
    Kept {
        what: "administrative acts by or upon that number",
        place: "this hub's audit log",
        why: "the log is a chain that shows when a line of it is missing",
    },
    Kept {
        what: "orders and invoices, as long as the law of the place asks for",
        place: "the shops that were ordered from",
        why: "bookkeeping; each shop erases the name and the address when asked",
    },
    Kept {
        what: "backups of before, until whoever runs the hub throws them away",
        place: "where the hub's backups lie, encrypted",
        why: "a backup cannot be changed",
    },
];

/// The most lines of the audit in an export.
const ACTS_MAX: u32 = 10_000;

impl Hub {
    /// Everything that the hub holds about the person.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`] when the account was erased meanwhile.
    pub async fn export(&self, actor: &Actor, now: UnixMs) -> Result<Export, Error> {
        self.authorise(actor, Action::OwnAccount, "", now).await?;
        let (store, id) = (self.store(), actor.account);
        let stored = store.account(id).await?.ok_or(Error::NotSignedIn)?;
        let personal = self.person(&stored)?.open(&stored.personal)?;
        let roles = role::roles_from_text(&stored.roles);
        let acts = store.audit_about(id, ACTS_MAX).await?;
        let sign_ins = self.history(&stored).await?;
        Ok(Export {
            exported_at: now,
            account: ExportedAccount {
                id,
                login: personal.login,
                email: personal.email,
                email_verified: personal.email_verified,
                name: personal.name,
                phone: personal.phone,
                preferences: personal.preferences,
                notices_by_mail: store.notice(id).await?.is_some(),
                language: stored.language,
                roles: roles.iter().map(|role| role.label()).collect(),
                created_at: stored.created_at,
            },
            sessions: self.places(id, now).await?.into_iter().map(Into::into).collect(),
            sign_ins,
            second_factors: store.factors(id).await?.into_iter().map(Into::into).collect(),
            devices: store.devices(id, now).await?.into_iter().map(Into::into).collect(),
            shops: store.shops_of(id).await?.into_iter().map(Into::into).collect(),
            acts: acts.into_iter().map(Into::into).collect(),
            elsewhere: ELSEWHERE.to_vec(),
        })
    }

    pub(super) async fn erase(
        &self,
        id: AccountId,
        act: Act,
        now: UnixMs,
    ) -> Result<Erasure, Error> {
        self.store().erase_account(id, act).await?;
        self.0.erasing.notify_one();
        self.publish_revocations(now).await?;
        Ok(Erasure { erased: ERASED.to_vec(), kept: KEPT.to_vec() })
    }

    /// Comes back when somebody was erased.
    pub async fn somebody_was_erased(&self) {
        self.0.erasing.notified().await;
    }

    /// All who were ever erased here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn erased(&self) -> Result<BTreeSet<AccountId>, Error> {
        Ok(self.store().erased().await?)
    }

    /// Erases those whom an older database brought back, and remembers those whom it never had.
    /// Gives back who was spared: an administrator without whom nobody could sign in.
    ///
    /// # Errors
    /// When nothing could be written.
    pub async fn erase_again(
        &self,
        ids: &[AccountId],
        now: UnixMs,
    ) -> Result<Vec<AccountId>, Error> {
        let mut spared = Vec::new();
        for id in ids {
            let (actor, action) = ("list of erased accounts".to_owned(), "account.close");
            let act = Act { at: now, actor, action, subject: id.to_string(), outcome: "erased" };
            match self.store().erase_account(*id, act).await {
                Ok(()) => {}
                Err(WriteError::Refused(NotChanged::Unknown)) => {
                    self.store().remember_erased(*id, now).await?;
                }
                Err(WriteError::Refused(NotChanged::LastAdmin)) => spared.push(*id),
                Err(error) => return Err(error.into()),
            }
        }
        self.publish_revocations(now).await?;
        Ok(spared)
    }
}

impl From<Place> for ExportedSession {
    fn from(place: Place) -> Self {
        let Place { id, at, created_at, used_at, ends_at } = place;
        let id = uuid::Uuid::from_bytes(id).to_string();
        let name = at.name();
        let (client_id, scope, device, by_key) = match at {
            At::Program { client, scope, device, by_key } => (client, Some(scope), device, by_key),
            At::Pages | At::Console => (None, None, None, false),
        };
        let device = device.map(|key| key.to_string());
        Self { id, at: name, client_id, scope, device, by_key, created_at, used_at, ends_at }
    }
}

impl From<crate::store::factor::Stored> for ExportedFactor {
    fn from(factor: crate::store::factor::Stored) -> Self {
        Self { created_at: factor.created_at, confirmed_at: factor.confirmed_at }
    }
}

impl From<Device> for ExportedDevice {
    fn from(device: Device) -> Self {
        let Device { key, issued_at, expires_at, .. } = device;
        Self { key: key.to_string(), issued_at, expires_at }
    }
}

impl From<Shop> for ExportedShop {
    fn from(shop: Shop) -> Self {
        let (id, place) = (shop.id.to_string(), shop.place.to_string());
        let photo = shop.photo.map(|digest| digest.to_string());
        Self { id, place, name: shop.name, state: shop.state.name(), photo }
    }
}

impl From<crate::store::audit::Line> for ExportedAct {
    fn from(line: crate::store::audit::Line) -> Self {
        let crate::store::audit::Line { at, actor, action, subject, outcome, .. } = line;
        Self { at, actor, action, subject, outcome }
    }
}
