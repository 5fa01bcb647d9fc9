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

pub use action::Action;

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
        Ok(Self { authorizer: Authorizer::new(), policies, actions, types })
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

    /// Whether somebody may do something to a resource; what cannot be evaluated is refused.
    #[must_use]
    pub fn is_allowed(&self, principal: &Principal, action: Action, resource: &Resource) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMs;
    use std::fmt::Write;

    fn shop(n: u8) -> ShopId {
        ShopId::new(UnixMs::new(1), [n; 10])
    }

    fn account(n: u8) -> AccountId {
        AccountId::new(UnixMs::new(1), [n; 10])
    }

    /// Everything that belongs to shop and account `n`.
    fn resources(n: u8) -> Vec<Resource> {
        let customer = Party::Account(account(n));
        vec![
            Resource::Shop(shop(n)),
            Resource::Order { shop: shop(9), customer, delivery: true },
            Resource::Order { shop: shop(n), customer: Party::Account(account(9)), delivery: true },
            Resource::Order {
                shop: shop(n),
                customer: Party::Account(account(9)),
                delivery: false,
            },
            Resource::Account(account(n)),
            Resource::Mailbox(Address::Shop(shop(n))),
            Resource::Mailbox(Address::Device(KeyId::of(&[n; 32]))),
            Resource::Hub,
        ]
    }

    fn somebody(role: Role) -> Principal {
        let who = match role {
            Role::Customer => Principal::customer(Party::Account(account(1))),
            Role::HubOperator | Role::Admin => Principal {
                roles: BTreeSet::from([role]),
                account: Some(account(1)),
                ..Principal::nobody()
            },
            in_shop => Principal::in_shop(in_shop, shop(1)),
        };
        who.on_device(KeyId::of(&[1; 32]))
    }

    fn with(permissions: BTreeSet<Action>) -> Principal {
        Principal::with_permissions(permissions, shop(1)).on_device(KeyId::of(&[1; 32]))
    }

    fn packing() -> BTreeSet<Action> {
        use Action::{ListOrders, PackOrder, ViewOrder, ViewStock};
        BTreeSet::from([ListOrders, PackOrder, ViewOrder, ViewStock])
    }

    #[test]
    fn p6_an_own_role_permits_exactly_what_is_in_it_and_never_what_owners_may_not_give() {
        let policies = Policies::load().expect("they parse");
        for action in Action::ALL {
            let may = |who: &Principal| {
                resources(1).iter().any(|what| policies.is_allowed(who, *action, what))
            };
            let alone = with(BTreeSet::from([*action]));
            let public = may(&with(BTreeSet::new()));
            let given = Action::given_by_owners(action.label()).is_some();
            assert_eq!(may(&alone), given || public, "{action:?}");
            assert_eq!(may(&with(packing())), packing().contains(action) || public, "{action:?}");
        }
    }

    #[test]
    fn every_policy_passes_the_type_check_against_the_schema() {
        Policies::load().expect("they parse").check().expect("they are sound");
    }

    #[test]
    fn p6_the_whole_table_of_roles_and_actions_is_as_reviewed() {
        let policies = Policies::load().expect("they parse");
        let names =
            ["shop", "ordered", "brought", "fetched", "account", "shop's box", "own box", "hub"];
        let mut table = String::from(
            "What each role may do: to its own things, and (with a star) to everybody's.\n\
             ordered = own order; brought, fetched = orders of the shop for delivery or pickup.\n",
        );
        let packer = "packer, one of a shop's own: order.list order.view order.pack stock.view";
        let everything = "all that an owner may give";
        let given = Action::GIVEN_BY_OWNERS.into();
        let everybody = Role::ALL.map(|role| (role.label(), somebody(role)));
        let own = [(packer, with(packing())), (everything, with(given))];
        for (name, who) in everybody.into_iter().chain(own) {
            writeln!(table, "\n{name}").expect("memory");
            for action in Action::ALL {
                let may = |resource: &Resource| policies.is_allowed(&who, *action, resource);
                let cells: Vec<String> = names
                    .iter()
                    .zip(resources(1).iter().zip(&resources(2)))
                    .filter(|(_, (own, _))| may(own))
                    .map(|(name, (_, other))| {
                        let star = if may(other) && *name != "hub" { "*" } else { "" };
                        format!("{name}{star}")
                    })
                    .collect();
                if !cells.is_empty() {
                    writeln!(table, "  {:20} {}", action.label(), cells.join(", "))
                        .expect("memory");
                }
            }
        }
        expect_test::expect_file!["../policies/table.txt"].assert_eq(&table);
    }

    #[test]
    fn p6_nobody_reaches_another_shop_or_another_household() {
        let policies = Policies::load().expect("they parse");
        let public = [Action::PlaceOrder, Action::PutMail];
        for role in [Role::Customer, Role::Courier, Role::Staff, Role::Owner, Role::Node] {
            for resource in resources(2).iter().filter(|r| **r != Resource::Hub) {
                for action in Action::ALL.iter().filter(|action| !public.contains(action)) {
                    let all = with(Action::GIVEN_BY_OWNERS.into());
                    let allowed = policies.is_allowed(&all, *action, resource);
                    assert!(!allowed, "an own role may {action:?} {resource:?}");
                }
                for action in Action::ALL.iter().filter(|action| !public.contains(action)) {
                    let allowed = policies.is_allowed(&somebody(role), *action, resource);
                    assert!(!allowed, "{role:?} may {action:?} {resource:?}");
                }
            }
        }
    }

    #[test]
    fn p6_without_a_role_only_what_is_public_is_open() {
        let policies = Policies::load().expect("they parse");
        let open: Vec<_> = Action::ALL
            .iter()
            .filter(|action| {
                let may = |r: &Resource| policies.is_allowed(&Principal::nobody(), **action, r);
                resources(1).iter().any(may)
            })
            .collect();
        assert_eq!(open, [&Action::ReadDirectory, &Action::ReadPolicies]);
    }

    #[test]
    fn p6_a_guest_sees_the_orders_of_its_own_key_only() {
        let policies = Policies::load().expect("they parse");
        let guest = |n: u8| Party::Guest(KeyId::of(&[n; 32]));
        let order = |customer| Resource::Order { shop: shop(1), customer, delivery: false };
        let who = Principal::customer(guest(1));
        assert!(policies.is_allowed(&who, Action::PlaceOrder, &Resource::Shop(shop(3))));
        assert!(policies.is_allowed(&who, Action::ViewOrder, &order(guest(1))));
        assert!(!policies.is_allowed(&who, Action::ViewOrder, &order(guest(2))));
        assert!(!policies.is_allowed(&who, Action::ApplyForShop, &Resource::Hub));
    }

    #[test]
    fn roles_are_read_by_their_words() {
        for role in Role::ALL {
            assert_eq!(Role::from_label(role.label()), Some(role));
            let json = serde_json::to_string(&role).expect("memory");
            assert_eq!(json, format!("\"{}\"", role.label()));
        }
        assert_eq!(Role::from_label("king"), None);
    }
}
