//! The policies as reviewed: who may do what, and that remembered answers are the same.
//!
//! **Invariant:** the tables come from Cedar itself, not from a second description of the rules.

use super::*;
use crate::time::UnixMs;
use proptest::prelude::*;
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
        Resource::Order { shop: shop(n), customer: Party::Account(account(9)), delivery: false },
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
                writeln!(table, "  {:20} {}", action.label(), cells.join(", ")).expect("memory");
            }
        }
    }
    expect_test::expect_file!["../../policies/table.txt"].assert_eq(&table);
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

/// Whom an action that is open to everybody is refused to, in place of somebody without a role.
const PUBLIC: [Action; 2] = [Action::ReadDirectory, Action::ReadPolicies];

#[test]
fn p6_each_action_is_permitted_to_somebody_and_refused_to_somebody() {
    let policies = Policies::load().expect("they parse");
    let owners = with(Action::GIVEN_BY_OWNERS.into());
    let everybody: Vec<_> = Role::ALL.map(somebody).into_iter().chain([owners]).collect();
    for action in Action::ALL {
        let may = |who: &Principal, n| {
            resources(n).iter().any(|what| policies.is_allowed(who, *action, what))
        };
        assert!(everybody.iter().any(|who| may(who, 1)), "nobody may {action:?}");
        let is_public = may(&Principal::nobody(), 1);
        assert_eq!(is_public, PUBLIC.contains(action), "everybody may {action:?}");
        let refused = everybody.iter().any(|who| !may(who, 2));
        assert!(refused || is_public, "everybody with a role may {action:?}");
    }
}

/// Who a case is about: each part by itself, so that all of them meet.
fn anybody() -> impl Strategy<Value = Principal> {
    let party = prop_oneof![
        (1..4_u8).prop_map(|n| Party::Account(account(n))),
        (1..4_u8).prop_map(|n| Party::Guest(KeyId::of(&[n; 32]))),
        (1..4_u8).prop_map(|n| Party::Shop(shop(n))),
    ];
    (
        proptest::collection::btree_set(proptest::sample::select(Role::ALL.to_vec()), 0..4),
        proptest::collection::btree_set((1..5_u8).prop_map(shop), 0..3),
        proptest::collection::btree_set(proptest::sample::select(Action::ALL.to_vec()), 0..6),
        proptest::option::of((1..4_u8).prop_map(account)),
        proptest::option::of(party),
        proptest::option::of((1..4_u8).prop_map(|n| KeyId::of(&[n; 32]))),
    )
        .prop_map(|(roles, shops, permissions, account, party, device)| Principal {
            roles,
            shops,
            permissions,
            account,
            party,
            device,
        })
}

#[test]
fn p6_a_remembered_answer_is_the_one_that_the_policies_give() {
    let policies = Policies::load().expect("they parse");
    // What the table of roles asks, each question once and once more.
    let own = with(Action::GIVEN_BY_OWNERS.into());
    let table = Role::ALL.map(somebody).into_iter().chain([own, with(packing())]);
    for who in table.chain([Principal::nobody()]) {
        for what in [resources(1), resources(2), resources(9)].concat() {
            for action in Action::ALL {
                let fresh = policies.evaluate(&who, *action, &what);
                for _ in 0..2 {
                    let answer = policies.is_allowed(&who, *action, &what);
                    assert_eq!(answer, fresh, "{who:?} {action:?} {what:?}");
                }
            }
        }
    }
    // And what nobody thought of, against the answers that are there by now.
    let guest = |n: u8| Resource::Order {
        shop: shop(n),
        customer: Party::Guest(KeyId::of(&[n; 32])),
        delivery: n.is_multiple_of(2),
    };
    let what: Vec<_> = (1..5).flat_map(|n| [resources(n), vec![guest(n)]].concat()).collect();
    let what = proptest::sample::select(what);
    let action = proptest::sample::select(Action::ALL.to_vec());
    let cases = proptest::test_runner::Config::with_cases(4_000);
    proptest::test_runner::TestRunner::new(cases)
        .run(&(anybody(), action, what), |(who, action, what)| {
            let answer = policies.is_allowed(&who, action, &what);
            prop_assert_eq!(answer, policies.evaluate(&who, action, &what));
            Ok(())
        })
        .expect("they agree");
}

#[test]
fn answers_are_remembered_up_to_a_limit() {
    let policies = Policies::load().expect("they parse");
    let actions = Action::GIVEN_BY_OWNERS;
    for bits in 0..=memo::ANSWERS_MAX {
        let picked = actions.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1);
        let who = with(picked.map(|(_, action)| *action).collect());
        let answer = policies.is_allowed(&who, actions[0], &Resource::Shop(shop(1)));
        assert_eq!(answer, bits & 1 == 1);
        assert!((1..=memo::ANSWERS_MAX).contains(&policies.memo.len()));
    }
    assert_eq!(policies.memo.len(), 1, "all were forgotten for the last one");
}
