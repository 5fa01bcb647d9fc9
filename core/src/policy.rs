//! Who may do what to which resource: one set of Cedar policies for every entrance.
//!
//! The policies and their schema stand in `core/policies/`, are part of the program and are
//! evaluated by hub and shop alike; `policies/table.txt` shows what they come to.
//!
//! **Invariant (P6):** what no policy permits is refused, a role in a shop counts in that shop
//! only, and whatever cannot be evaluated is refused.
//!
//! ```
//! use kirana_core::policy::{Action, Policies, Principal, Resource, Role};
//! # use kirana_core::{id::ShopId, time::UnixMs};
//! # let (shop, other) = (ShopId::new(UnixMs::new(1), [1; 10]), ShopId::new(UnixMs::new(1), [2; 10]));
//! let policies = Policies::load()?;
//! let till = Principal::in_shop(Role::Staff, shop);
//! assert!(policies.is_allowed(&till, Action::RingUpSale, &Resource::Shop(shop)));
//! assert!(!policies.is_allowed(&till, Action::RingUpSale, &Resource::Shop(other)));
//! assert!(!policies.is_allowed(&till, Action::ManageStaff, &Resource::Shop(shop)));
//! # Ok::<(), kirana_core::policy::BadPolicies>(())
//! ```

use std::{collections::BTreeSet, str::FromStr};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName,
    EntityUid, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash,
    id::{AccountId, ShopId},
    key::KeyId,
    mail::Address,
    statement::Party,
};

const POLICIES: &str = include_str!("../policies/kirana.cedar");
const SCHEMA: &str = include_str!("../policies/kirana.cedarschema");

mod action;
mod memo;
#[cfg(test)]
mod tests;

pub use action::Action;
use memo::{Memo, Question};

/// A bundle of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Orders, and sees own orders.
    Customer,
    /// Brings orders of one shop.
    Courier,
    /// Works in one shop.
    Staff,
    /// Answers for one shop.
    Owner,
    /// A shop's own box.
    Node,
    /// Keeps a hub running.
    HubOperator,
    /// Manages a hub's accounts.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Customer,
        Self::Courier,
        Self::Staff,
        Self::Owner,
        Self::Node,
        Self::HubOperator,
        Self::Admin,
    ];

    /// The word used in policies, tokens and files.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Courier => "courier",
            Self::Staff => "staff",
            Self::Owner => "owner",
            Self::Node => "node",
            Self::HubOperator => "hub_operator",
            Self::Admin => "admin",
        }
    }

    /// The role of a word; `None` when there is none.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.label() == label)
    }
}

/// Who acts, as a token or certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What this person is.
    pub roles: BTreeSet<Role>,
    /// The shops that the roles in shops are for.
    pub shops: BTreeSet<ShopId>,
    /// What one of the shops' own roles permits beside them, in those shops.
    pub permissions: BTreeSet<Action>,
    /// The account that is signed in.
    pub account: Option<AccountId>,
    /// As whom this person orders.
    pub party: Option<Party>,
    /// The key of the device or node that speaks, where it has proved it.
    pub device: Option<KeyId>,
}

impl Principal {
    /// Somebody with no role at all.
    pub const fn nobody() -> Self {
        Self {
            roles: BTreeSet::new(),
            shops: BTreeSet::new(),
            permissions: BTreeSet::new(),
            account: None,
            party: None,
            device: None,
        }
    }

    /// A customer: an account, or a guest.
    pub fn customer(party: Party) -> Self {
        let account = match party {
            Party::Account(account) => Some(account),
            _ => None,
        };
        let device = match party {
            Party::Guest(device) => Some(device),
            _ => None,
        };
        let roles = BTreeSet::from([Role::Customer]);
        Self { roles, account, device, party: Some(party), ..Self::nobody() }
    }

    /// Somebody with a role in one shop.
    pub fn in_shop(role: Role, shop: ShopId) -> Self {
        let (roles, shops) = (BTreeSet::from([role]), BTreeSet::from([shop]));
        Self { roles, shops, ..Self::nobody() }
    }

    /// Somebody with one of a shop's own roles.
    pub fn with_permissions(permissions: BTreeSet<Action>, shop: ShopId) -> Self {
        Self { permissions, shops: BTreeSet::from([shop]), ..Self::nobody() }
    }

    /// An account with these roles at a hub; every account may also order.
    pub fn account(account: AccountId, roles: impl IntoIterator<Item = Role>) -> Self {
        let mut customer = Self::customer(Party::Account(account));
        customer.roles.extend(roles);
        customer
    }

    /// The same person, speaking from a device that has proved its key.
    #[must_use]
    pub fn on_device(self, device: KeyId) -> Self {
        Self { device: Some(device), ..self }
    }
}

/// Upon what somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A shop, with its catalogue, stock, staff and profile.
    Shop(ShopId),
    /// An order.
    Order {
        /// Whose shop it is for.
        shop: ShopId,
        /// Whose order it is.
        customer: Party,
        /// Whether the shop brings it.
        delivery: bool,
    },
    /// An account, with its devices, addresses and carts.
    Account(AccountId),
    /// Where mail is kept for somebody.
    Mailbox(Address),
    /// The hub itself.
    Hub,
}

/// The policies, parsed and ready.
#[derive(Debug)]
pub struct Policies {
    authorizer: Authorizer,
    policies: PolicySet,
    /// Each action with the policies that name it: the others can say nothing about it.
    actions: Vec<(EntityUid, PolicySet, Context)>,
    types: Types,
    memo: Memo,
}

#[derive(Debug)]
struct Types {
    person: EntityUid,
    shop: EntityUid,
    order: EntityUid,
    account: EntityUid,
    mailbox: EntityUid,
    hub: EntityUid,
}

impl Policies {
    /// Parses the policies that are part of the program; once at the start.
    ///
    /// # Errors
    /// [`BadPolicies`], which a test keeps from ever shipping.
    pub fn load() -> Result<Self, BadPolicies> {
        let policies = PolicySet::from_str(POLICIES).map_err(|e| BadPolicies(e.to_string()))?;
        let uid = |type_name: &str, id: &str| {
            let type_name =
                EntityTypeName::from_str(type_name).map_err(|e| BadPolicies(e.to_string()))?;
            Ok(EntityUid::from_type_name_and_id(type_name, EntityId::new(id)))
        };
        let actions = Action::ALL.iter().map(|action| {
            let action = uid("Action", action.label())?;
            let naming = policies.policies().filter(|policy| match policy.action_constraint() {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(one) => one == action,
                ActionConstraint::In(some) => some.contains(&action),
            });
            let naming = PolicySet::from_policies(naming.cloned());
            let named = RestrictedExpression::new_string(action.id().unescaped().to_owned());
            let named = Context::from_pairs([("action".to_owned(), named)]);
            let named = named.map_err(|e| BadPolicies(e.to_string()))?;
            Ok((action, naming.map_err(|e| BadPolicies(e.to_string()))?, named))
        });
        let types = Types {
            person: uid("Person", "who")?,
            shop: uid("Shop", "what")?,
            order: uid("Order", "what")?,
            account: uid("Account", "what")?,
            mailbox: uid("Mailbox", "what")?,
            hub: uid("Hub", "what")?,
        };
        let actions = actions.collect::<Result<_, _>>()?;
        Ok(Self { authorizer: Authorizer::new(), policies, actions, types, memo: Memo::default() })
    }

    /// The digest of policies and schema, so that a person can see which rules a program follows.
    pub fn hash() -> Hash {
        Hash::of_parts(&[POLICIES.as_bytes(), SCHEMA.as_bytes()])
    }

    /// The policies as they are written.
    pub const fn text() -> &'static str {
        POLICIES
    }

    /// What the policies speak of, as it is written.
    pub const fn schema() -> &'static str {
        SCHEMA
    }

    /// Checks every policy against the schema.
    ///
    /// # Errors
    /// [`BadPolicies`] with everything that the check found, warnings included.
    pub fn check(&self) -> Result<(), BadPolicies> {
        let (schema, warnings) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|e| BadPolicies(e.to_string()))?;
        let result = Validator::new(schema).validate(&self.policies, ValidationMode::Strict);
        let warnings = warnings.map(|warning| warning.to_string());
        let found: Vec<_> = warnings
            .chain(result.validation_errors().map(ToString::to_string))
            .chain(result.validation_warnings().map(ToString::to_string))
            .collect();
        if found.is_empty() { Ok(()) } else { Err(BadPolicies(found.join("; "))) }
    }

    /// Whether somebody may do something to a resource; what cannot be evaluated is refused. Equal
    /// questions are evaluated once.
    #[must_use]
    pub fn is_allowed(&self, principal: &Principal, action: Action, resource: &Resource) -> bool {
        let question = Question::of(principal, action, resource);
        self.memo.answer(question, || self.evaluate(principal, action, resource))
    }

    fn evaluate(&self, principal: &Principal, action: Action, resource: &Resource) -> bool {
        let Some((action, policies, named)) = self.actions.get(action as usize) else {
            return false;
        };
        let Some(request) = self.request(action, named, resource) else { return false };
        let entities = [self.person(principal), self.resource(resource)];
        let entities: Option<Vec<Entity>> = entities.into_iter().collect();
        let entities = entities.and_then(|e| Entities::from_entities(e, None).ok());
        entities.is_some_and(|entities| {
            let answer = self.authorizer.is_authorized(&request, policies, &entities);
            answer.decision() == Decision::Allow
        })
    }

    fn request(&self, action: &EntityUid, named: &Context, what: &Resource) -> Option<Request> {
        let (who, what) = (self.types.person.clone(), self.uid(what).clone());
        Request::new(who, action.clone(), what, named.clone(), None).ok()
    }

    fn uid(&self, resource: &Resource) -> &EntityUid {
        match resource {
            Resource::Shop(_) => &self.types.shop,
            Resource::Order { .. } => &self.types.order,
            Resource::Account(_) => &self.types.account,
            Resource::Mailbox(_) => &self.types.mailbox,
            Resource::Hub => &self.types.hub,
        }
    }

    fn person(&self, principal: &Principal) -> Option<Entity> {
        let roles = principal.roles.iter().map(|role| text(role.label()));
        let shops = principal.shops.iter().map(text);
        let permissions = principal.permissions.iter().map(|action| text(action.label()));
        let mut attributes = vec![
            ("permissions", RestrictedExpression::new_set(permissions)),
            ("roles", RestrictedExpression::new_set(roles)),
            ("shops", RestrictedExpression::new_set(shops)),
        ];
        attributes.extend(principal.account.iter().map(|account| ("account", text(account))));
        attributes.extend(principal.party.iter().map(|party| ("party", text(party))));
        attributes.extend(principal.device.iter().map(|device| ("device", text(device))));
        entity(&self.types.person, attributes)
    }

    fn resource(&self, resource: &Resource) -> Option<Entity> {
        let attributes = match resource {
            Resource::Shop(shop) => vec![("shop", text(shop))],
            Resource::Order { shop, customer, delivery } => vec![
                ("shop", text(shop)),
                ("customer", text(customer)),
                ("delivery", RestrictedExpression::new_bool(*delivery)),
            ],
            Resource::Account(account) => vec![("account", text(account))],
            Resource::Mailbox(Address::Shop(shop)) => vec![("shop", text(shop))],
            Resource::Mailbox(Address::Device(device)) => vec![("device", text(device))],
            Resource::Hub => Vec::new(),
        };
        entity(self.uid(resource), attributes)
    }
}

fn text(value: impl std::fmt::Display) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_string())
}

fn entity(uid: &EntityUid, attributes: Vec<(&str, RestrictedExpression)>) -> Option<Entity> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    Entity::new(uid.clone(), attributes.collect(), [].into_iter().collect()).ok()
}

/// Policies that do not parse or do not pass the type check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policies of this program are broken: {0}")]
pub struct BadPolicies(String);
