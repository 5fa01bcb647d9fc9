//! What an account is (roles) and what a token may be used for (scopes).

use std::collections::BTreeSet;

pub use kirana_core::policy::Role;

/// The roles of one account.
pub type Roles = BTreeSet<Role>;

/// Reads names parted by spaces; those of a later version are passed over.
pub fn roles_from_text(text: &str) -> Roles {
    text.split(' ').filter_map(Role::from_label).collect()
}

/// The names, parted by spaces.
pub fn roles_to_text(roles: &Roles) -> String {
    roles.iter().map(|role| role.label()).collect::<Vec<_>>().join(" ")
}

/// One thing that a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The person's own account and sessions.
    Account,
    /// The person's devices and their certificates.
    Devices,
    /// Applying for a shop and keeping its profile.
    Shops,
    /// What administrators do.
    Admin,
    /// Knowing the person again (OpenID Connect).
    OpenId,
    /// The person's name and language.
    Profile,
    /// The person's email address.
    Email,
}

/// What one token may be used for.
pub type Scopes = BTreeSet<Scope>;

impl Scope {
    /// All of them, with their names.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::Account, "account"),
        (Self::Devices, "devices"),
        (Self::Shops, "shops"),
        (Self::Admin, "admin"),
        (Self::OpenId, "openid"),
        (Self::Profile, "profile"),
        (Self::Email, "email"),
    ];

    /// The name in tokens.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(scope, _)| *scope == self).map_or("", |(_, name)| name)
    }
}

/// Roles that do nothing without a second factor (OWASP ASVS 5, 6.3.3).
pub fn needs_factor(roles: &Roles) -> bool {
    roles.contains(&Role::Admin) || roles.contains(&Role::HubOperator)
}

/// All that these roles may ask for, with or without a second factor.
pub fn scopes_of(roles: &Roles, factor: bool) -> Scopes {
    let admin = factor && needs_factor(roles);
    let all = Scope::NAMES.iter().map(|(scope, _)| *scope);
    all.filter(|scope| admin || *scope != Scope::Admin).collect()
}

/// Those names that are known here; others are passed over (OpenID Connect Core, section 3.1.2.1).
pub fn known_scopes(text: &str) -> Scopes {
    let find = |name| Scope::NAMES.iter().find(|(_, known)| *known == name).map(|(s, _)| *s);
    text.split(' ').filter_map(find).collect()
}

/// Reads a `scope` parameter (RFC 6749, section 3.3); `None` when a name in it is unknown.
pub fn scopes_from_text(text: &str) -> Option<Scopes> {
    let find = |name| Scope::NAMES.iter().find(|(_, known)| *known == name).map(|(s, _)| *s);
    text.split(' ').filter(|name| !name.is_empty()).map(find).collect()
}

/// The names, parted by spaces.
pub fn scopes_to_text(scopes: &Scopes) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_way_through_text() {
        let roles: Roles = [Role::Customer, Role::Admin].into();
        assert_eq!(roles_from_text(&roles_to_text(&roles)), roles);
        let scopes = scopes_of(&roles, true);
        assert_eq!(scopes_from_text(&scopes_to_text(&scopes)), Some(scopes));
        assert_eq!(scopes_from_text("account everything"), None);
    }

    #[test]
    fn p6_the_admin_scope_is_for_administrators() {
        assert!(!scopes_of(&[Role::Customer].into(), true).contains(&Scope::Admin));
        assert!(scopes_of(&[Role::HubOperator].into(), true).contains(&Scope::Admin));
        assert!(!scopes_of(&[Role::HubOperator].into(), false).contains(&Scope::Admin));
    }
}
