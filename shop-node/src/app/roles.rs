//! What somebody who works here may do: the three roles of every shop, and the shop's own.
//!
//! **Invariant (P6):** an own role permits what its owner put into it, as it stands now; one that
//! was removed permits nothing.

use std::collections::BTreeSet;

use kirana_core::{
    certificate::StaffRole,
    id::ShopId,
    policy::{Action, Principal, Role},
};
use kirana_migrations::{Abort, StoreError, rusqlite::Connection};

use super::{
    Shop,
    staff::{NotStaffed, may_staff},
};
use crate::store::staff;

/// The longest name of an own role, in letters.
pub const ROLE_NAME_MAX: usize = 40;
/// Roles of its own that a shop may have.
pub const OWN_ROLES_MAX: usize = 100;

/// The name of one of the shop's own roles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleName(String);

impl RoleName {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for RoleName {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=ROLE_NAME_MAX).contains(&text.len()) && text.chars().all(plain);
        let free = Role::from_label(text).is_none();
        (fits && free).then(|| Self(text.to_owned())).ok_or(NotARole)
    }
}

/// It can be no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an own role has a name of its own, of up to {ROLE_NAME_MAX} small letters, digits and hyphens"
)]
pub struct NotARole;

/// As what somebody works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Post {
    /// Carries orders to doors.
    Courier,
    /// Sells, packs, edits the catalogue.
    Staff,
    /// Answers for the shop.
    Owner,
    /// One of the shop's own roles.
    Own(RoleName),
}

impl Post {
    /// The word.
    pub fn label(&self) -> &str {
        match self {
            Self::Courier => "courier",
            Self::Staff => "staff",
            Self::Owner => "owner",
            Self::Own(name) => name.as_str(),
        }
    }

    /// What stands in a certificate.
    pub fn certified(&self) -> StaffRole {
        match self {
            Self::Courier => StaffRole::Courier,
            Self::Staff => StaffRole::Staff,
            Self::Owner => StaffRole::Owner,
            Self::Own(_) => StaffRole::Own,
        }
    }

    /// What a certificate and the shop's own list say together; nothing for an own role that is
    /// not on the list.
    pub fn of(role: StaffRole, own: Option<&str>) -> Option<Self> {
        match role {
            StaffRole::Courier => Some(Self::Courier),
            StaffRole::Staff => Some(Self::Staff),
            StaffRole::Owner => Some(Self::Owner),
            StaffRole::Own => own?.parse().ok().map(Self::Own),
        }
    }

    /// For the policies, as the shop's roles stand now.
    pub(crate) fn principal(&self, c: &Connection, shop: ShopId) -> Result<Principal, StoreError> {
        Ok(match self {
            Self::Courier => Principal::in_shop(Role::Courier, shop),
            Self::Staff => Principal::in_shop(Role::Staff, shop),
            Self::Owner => Principal::in_shop(Role::Owner, shop),
            Self::Own(name) => {
                let words = staff::role(c, name.as_str())?.unwrap_or_default();
                Principal::with_permissions(permissions(&words), shop)
            }
        })
    }

    /// Whether there is such a role.
    pub(crate) fn exists(&self, c: &Connection) -> Result<bool, StoreError> {
        match self {
            Self::Own(name) => Ok(staff::role(c, name.as_str())?.is_some()),
            _ => Ok(true),
        }
    }
}

impl std::str::FromStr for Post {
    type Err = NotARole;

    fn from_str(text: &str) -> Result<Self, NotARole> {
        Ok(match text {
            "courier" => Self::Courier,
            "staff" => Self::Staff,
            "owner" => Self::Owner,
            own => Self::Own(own.parse()?),
        })
    }
}

fn permissions(words: &str) -> BTreeSet<Action> {
    // A word of a newer program permits nothing here.
    words.split(' ').filter_map(Action::given_by_owners).collect()
}

/// One of the shop's own roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRole {
    /// Its name.
    pub name: String,
    /// What it permits.
    pub permissions: BTreeSet<Action>,
}

impl Shop {
    /// The shop's own roles.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn own_roles(&self) -> Result<Vec<OwnRole>, StoreError> {
        let rows = self.reader().read(staff::roles)?;
        let role =
            |(name, words): (String, String)| OwnRole { name, permissions: permissions(&words) };
        Ok(rows.into_iter().map(role).collect())
    }

    /// Makes one of the shop's own roles, or changes what it permits: that counts at once.
    ///
    /// # Errors
    /// [`NotStaffed`]; nothing was changed.
    pub fn put_role(
        &self,
        name: RoleName,
        permissions: &BTreeSet<Action>,
    ) -> Result<(), NotStaffed> {
        if let Some(kept) = permissions.iter().find(|a| !Action::GIVEN_BY_OWNERS.contains(a)) {
            return Err(NotStaffed::KeptByOwners(kept.label().to_owned()));
        }
        let words: Vec<&str> = permissions.iter().map(|action| action.label()).collect();
        let words = words.join(" ");
        let stored = self.writer().write(move |tx| {
            may_staff(tx)?;
            let full = staff::roles(tx)?.len() >= OWN_ROLES_MAX;
            if full && staff::role(tx, name.as_str())?.is_none() {
                return Err(Abort::Refused(NotStaffed::TooMany));
            }
            staff::put_role(tx, name.as_str(), &words)?;
            Ok::<_, Abort<NotStaffed>>(super::trust_changed(tx)?)
        });
        Ok(stored?)
    }

    /// Removes one of the shop's own roles: whoever has it may do nothing from now on.
    ///
    /// # Errors
    /// [`NotStaffed`]; nothing was changed.
    pub fn remove_role(&self, name: RoleName) -> Result<(), NotStaffed> {
        let stored = self.writer().write(move |tx| {
            may_staff(tx)?;
            if !staff::remove_role(tx, name.as_str())? {
                return Err(Abort::Refused(NotStaffed::NoRole(name.0.clone())));
            }
            Ok::<_, Abort<NotStaffed>>(super::trust_changed(tx)?)
        });
        Ok(stored?)
    }
}
