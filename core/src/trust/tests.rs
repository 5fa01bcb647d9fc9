//! Whom to trust, told as stories of hubs, shops, devices and thieves.

use std::collections::BTreeSet;

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    certificate::{DEVICE_LIFETIME_MS, Holder, SHOP_LIFETIME_MS, Serial, StaffRole},
    key::KeyPair,
    revocation::RevocationList,
    roster::{HubEntry, Roster},
    time::DAY_MS,
};

const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

fn keys(seed: u8) -> KeyPair {
    KeyPair::from_seed([seed; 64])
}

fn account() -> AccountId {
    AccountId::new(NOW, [1; 10])
}

fn shop() -> ShopId {
    ShopId::new(NOW, [2; 10])
}

const ROOT: u8 = 1;
const HUB: u8 = 2;
const OWNER: u8 = 3;
const NODE: u8 = 4;
const DEVICE: u8 = 5;
const THIEF: u8 = 6;

/// A certificate of `holder`'s key by `issuer`'s.
fn by(issuer: u8, holder: u8, standing: Standing) -> SignedCertificate {
    let mut rng = ChaCha20Rng::from_seed([issuer ^ holder.rotate_left(4); 32]);
    let (key, sealing) = (keys(holder).signing.public(), keys(holder).sealing.public());
    Certificate::issue(&keys(issuer).signing, &Holder { key, sealing, standing }, NOW, &mut rng)
}

fn device() -> Standing {
    Standing::Device { account: account(), hosted: false }
}

fn node() -> Standing {
    Standing::Node { shop: shop(), generation: 1 }
}

fn hub_entry(seed: u8, role: HubRole) -> HubEntry {
    let (key, sealing) = (keys(seed).signing.public(), keys(seed).sealing.public());
    HubEntry { key, sealing, role, url: None, p2p: vec![] }
}

/// Trusts the root and one central hub.
fn trust() -> Trust {
    let mut trust = Trust::new();
    trust.set_root(keys(ROOT).signing.public());
    let roster = Roster { number: 1, issued: NOW, hubs: vec![hub_entry(HUB, HubRole::Central)] };
    assert_eq!(trust.admit_roster(roster.sign(&keys(ROOT).signing).bytes()), Ok(true));
    trust
}

fn check(trust: &Trust, chain: &[&SignedCertificate]) -> Result<Certified, Distrust> {
    check_at(trust, chain, NOW)
}

fn check_at(
    trust: &Trust,
    chain: &[&SignedCertificate],
    at: UnixMs,
) -> Result<Certified, Distrust> {
    let chain: Vec<&[u8]> = chain.iter().map(|link| link.bytes()).collect();
    trust.check(&chain, at)
}

fn revoke(trust: &mut Trust, issuer: u8, certificate: &SignedCertificate) {
    let revoked = BTreeSet::from([certificate.certificate().serial]);
    let list = RevocationList::next(0, NOW, revoked).expect("short");
    assert_eq!(trust.admit_list(list.sign(&keys(issuer).signing).bytes()), Ok(true));
}

#[test]
fn a_device_counts_on_the_word_of_a_hub_on_the_roster() {
    let checked = check(&trust(), &[&by(HUB, DEVICE, device())]).expect("trusted");
    assert_eq!(checked.party(), Some(Party::Account(account())));
    assert_eq!(checked.vouched(), Vouched::Hub(keys(HUB).id()));
    assert_eq!(checked.signed_at(), NOW);
}

#[test]
fn p6_a_hub_that_is_not_on_the_roster_vouches_for_nobody() {
    let checked = check(&trust(), &[&by(THIEF, DEVICE, device())]);
    assert_eq!(checked, Err(Distrust::UnknownIssuer { issuer: keys(THIEF).id() }));
}

#[test]
fn p6_a_community_hub_certifies_nobody() {
    let mut trust = trust();
    let hubs = vec![hub_entry(HUB, HubRole::Central), hub_entry(THIEF, HubRole::Community)];
    let roster = Roster { number: 2, issued: NOW, hubs };
    trust.admit_roster(roster.sign(&keys(ROOT).signing).bytes()).expect("by the root");
    assert!(check(&trust, &[&by(THIEF, DEVICE, device())]).is_err());
}

#[test]
fn p6_a_device_cannot_issue_certificates_for_a_shops_box() {
    let stolen = by(HUB, THIEF, device());
    let forged = by(THIEF, NODE, node());
    assert!(check(&trust(), &[&forged, &stolen]).is_err());
}

#[test]
fn a_shops_box_counts_through_its_owner_under_a_hub() {
    let owner = by(HUB, OWNER, Standing::Shop { shop: shop() });
    let checked = check(&trust(), &[&by(OWNER, NODE, node()), &owner]).expect("trusted");
    assert_eq!((checked.shop(), checked.generation()), (Some(shop()), Some(1)));
    assert_eq!(checked.vouched(), Vouched::Hub(keys(HUB).id()));
}

#[test]
fn p6_an_owner_certifies_staff_of_the_own_shop_only() {
    let owner = by(HUB, OWNER, Standing::Shop { shop: shop() });
    let staff = |shop| Standing::Staff {
        shop,
        role: StaffRole::Staff,
        account: None,
        label: "till 2".to_owned(),
    };
    assert!(check(&trust(), &[&by(OWNER, DEVICE, staff(shop())), &owner]).is_ok());
    let other = ShopId::new(NOW, [9; 10]);
    assert!(check(&trust(), &[&by(OWNER, DEVICE, staff(other)), &owner]).is_err());
}

#[test]
fn p3_a_pinned_shop_counts_without_any_hub() {
    let mut trust = Trust::new();
    trust.pin_shop(shop(), keys(OWNER).signing.public()).expect("first");
    let checked = check(&trust, &[&by(OWNER, NODE, node())]).expect("trusted");
    assert_eq!(checked.vouched(), Vouched::Pinned);
}

#[test]
fn p6_a_hub_cannot_swap_the_owner_of_a_pinned_shop() {
    let mut trust = trust();
    trust.pin_shop(shop(), keys(OWNER).signing.public()).expect("first");
    let swapped = by(HUB, THIEF, Standing::Shop { shop: shop() });
    let checked = check(&trust, &[&by(THIEF, NODE, node()), &swapped]);
    assert_eq!(checked, Err(Distrust::OwnerChanged { shop: shop() }));
    let met = trust.introduce(&[by(THIEF, NODE, node()).bytes(), swapped.bytes()], NOW);
    assert_eq!(met, Err(Distrust::OwnerChanged { shop: shop() }));
}

#[test]
fn p6_a_device_that_a_hub_adds_to_a_pinned_account_is_shown_as_new() {
    let mut trust = trust();
    trust.pin_device(account(), keys(DEVICE).signing.public());
    let known = check(&trust, &[&by(HUB, DEVICE, device())]).expect("trusted");
    let added = check(&trust, &[&by(HUB, THIEF, device())]).expect("trusted");
    assert!(!known.is_new_device());
    assert!(added.is_new_device());
}

#[test]
fn a_device_countersigned_by_a_pinned_one_counts_at_once() {
    let mut trust = trust();
    trust.pin_device(account(), keys(DEVICE).signing.public());
    let (added, first) = (by(DEVICE, THIEF, device()), by(HUB, DEVICE, device()));
    let added = check(&trust, &[&added, &first]).expect("trusted");
    assert_eq!(added.vouched(), Vouched::Countersigned(keys(DEVICE).id()));
    assert!(!added.is_new_device());
}

#[test]
fn p6_a_countersigner_that_is_absent_unknown_ended_or_withdrawn_countersigns_nothing() {
    let mut trust = trust();
    let (added, first) = (by(DEVICE, THIEF, device()), by(HUB, DEVICE, device()));
    assert!(matches!(check(&trust, &[&added, &first]), Err(Distrust::UnknownIssuer { .. })));
    trust.pin_device(account(), keys(DEVICE).signing.public());
    assert!(matches!(check(&trust, &[&added]), Err(Distrust::NoCountersigner { .. })));
    let by_itself = by(DEVICE, DEVICE, device());
    assert!(matches!(check(&trust, &[&added, &by_itself]), Err(Distrust::UnknownIssuer { .. })));
    let late = NOW.plus_ms(DEVICE_LIFETIME_MS);
    let fresh = Certificate::issue_until(
        &keys(DEVICE).signing,
        &Holder {
            key: keys(THIEF).signing.public(),
            sealing: keys(THIEF).sealing.public(),
            standing: device(),
        },
        NOW,
        late.plus_ms(DEVICE_LIFETIME_MS),
        Serial::from_slice(&[7; 16]).expect("sixteen bytes"),
    );
    trust.honour_expired_of_pinned(Honour::Always);
    let ended = check_at(&trust, &[&fresh, &first], late);
    assert!(matches!(ended, Err(Distrust::Expired { .. })), "{ended:?}");
    revoke(&mut trust, HUB, &first);
    assert!(matches!(check(&trust, &[&added, &first]), Err(Distrust::Revoked { .. })));
}

#[test]
fn p3_a_shop_may_honour_what_ended_for_so_many_days_and_no_longer() {
    let (known, ended) = (by(HUB, DEVICE, device()), NOW.plus_ms(DEVICE_LIFETIME_MS));
    let mut trust = trust();
    trust.pin_device(account(), keys(DEVICE).signing.public());
    trust.honour_expired_of_pinned(Honour::Days(30));
    assert!(check_at(&trust, &[&known], ended.plus_ms(30 * DAY_MS - 1)).expect("known").expired());
    assert!(check_at(&trust, &[&known], ended.plus_ms(30 * DAY_MS)).is_err());
    for (text, honour) in
        [("never", Honour::Never), ("always", Honour::Always), ("30", Honour::Days(30))]
    {
        assert_eq!((text.parse(), honour.to_string()), (Ok(honour), text.to_owned()));
    }
    assert_eq!("30 days".parse::<Honour>(), Err(NoHonour));
}

#[test]
fn p6_a_guests_certificate_for_one_shop_counts_at_no_other_and_at_no_hub() {
    let other = ShopId::new(NOW, [9; 10]);
    let guest = by(DEVICE, DEVICE, Standing::GuestOf { shop: shop() });
    let refused = Err(Distrust::GuestElsewhere { shop: shop() });
    let mut trust = Trust::new();
    assert_eq!(check(&trust, &[&guest]), refused);
    trust.stand_in(other);
    assert_eq!(check(&trust, &[&guest]), refused);
    trust.stand_in(shop());
    let checked = check(&trust, &[&guest]).expect("made for this shop");
    assert_eq!(checked.party(), Some(Party::Guest(keys(DEVICE).id())));
    assert!(check(&trust, &[&by(THIEF, DEVICE, Standing::GuestOf { shop: shop() })]).is_err());
}

#[test]
fn p6_a_device_countersigns_for_its_own_account_only() {
    let mut trust = Trust::new();
    trust.pin_device(account(), keys(DEVICE).signing.public());
    let other = Standing::Device { account: AccountId::new(NOW, [9; 10]), hosted: false };
    assert!(check(&trust, &[&by(DEVICE, THIEF, other)]).is_err());
}

#[test]
fn a_guest_counts_on_its_own_word_and_for_nobody_else() {
    let checked = check(&Trust::new(), &[&by(DEVICE, DEVICE, Standing::Guest)]).expect("a guest");
    assert_eq!(checked.party(), Some(Party::Guest(keys(DEVICE).id())));
    assert_eq!(checked.vouched(), Vouched::Nobody);
    assert!(check(&Trust::new(), &[&by(THIEF, DEVICE, Standing::Guest)]).is_err());
}

#[test]
fn p6_a_revoked_device_is_refused_once_the_list_has_come() {
    let mut trust = trust();
    let stolen = by(HUB, DEVICE, device());
    assert!(check(&trust, &[&stolen]).is_ok());
    let before = trust.revision();
    revoke(&mut trust, HUB, &stolen);
    assert!(trust.revision() > before, "kept answers must not outlive the list");
    assert!(matches!(check(&trust, &[&stolen]), Err(Distrust::Revoked { .. })));
}

#[test]
fn p6_an_owner_shuts_out_a_till_without_any_hub() {
    let mut trust = Trust::new();
    trust.pin_shop(shop(), keys(OWNER).signing.public()).expect("first");
    let label = "till 2".to_owned();
    let standing = Standing::Staff { shop: shop(), role: StaffRole::Staff, account: None, label };
    let till = by(OWNER, DEVICE, standing);
    assert!(check(&trust, &[&till]).is_ok());
    revoke(&mut trust, OWNER, &till);
    assert!(matches!(check(&trust, &[&till]), Err(Distrust::Revoked { .. })));
}

#[test]
fn p6_an_older_list_never_replaces_a_newer_one() {
    let mut trust = trust();
    let stolen = by(HUB, DEVICE, device());
    let old = RevocationList { number: 1, issued: NOW, revoked: BTreeSet::new() };
    revoke(&mut trust, HUB, &stolen);
    assert_eq!(trust.admit_list(old.sign(&keys(HUB).signing).bytes()), Ok(false));
    assert!(check(&trust, &[&stolen]).is_err());
}

#[test]
fn p6_a_strangers_list_revokes_nothing() {
    let mut trust = trust();
    let list = RevocationList::next(0, NOW, BTreeSet::new()).expect("short");
    let admitted = trust.admit_list(list.sign(&keys(THIEF).signing).bytes());
    assert_eq!(admitted, Err(BadList::Stranger { issuer: keys(THIEF).id() }));
}

#[test]
fn p6_a_roster_by_another_root_or_an_older_one_changes_nothing() {
    let mut trust = trust();
    let roster = Roster { number: 9, issued: NOW, hubs: vec![hub_entry(THIEF, HubRole::Central)] };
    assert!(trust.admit_roster(roster.sign(&keys(THIEF).signing).bytes()).is_err());
    let older = Roster { number: 0, ..roster };
    assert_eq!(trust.admit_roster(older.sign(&keys(ROOT).signing).bytes()), Ok(false));
    assert!(check(&trust, &[&by(HUB, DEVICE, device())]).is_ok());
}

#[test]
fn p3_expired_certificates_count_only_for_the_pinned_and_only_by_the_shops_choice() {
    let late = NOW.plus_ms(DEVICE_LIFETIME_MS);
    let known = by(HUB, DEVICE, device());
    let mut trust = trust();
    assert!(check_at(&trust, &[&known], late.minus_ms(DAY_MS)).is_ok());
    assert!(matches!(check_at(&trust, &[&known], late), Err(Distrust::Expired { .. })));
    trust.honour_expired_of_pinned(Honour::Always);
    assert!(matches!(check_at(&trust, &[&known], late), Err(Distrust::Expired { .. })));
    trust.pin_device(account(), keys(DEVICE).signing.public());
    assert!(check_at(&trust, &[&known], late).expect("pinned").expired());
}

#[test]
fn p3_nothing_expires_while_the_own_clock_is_in_doubt() {
    let chain = [by(HUB, DEVICE, device())];
    let now = KnownNow { at: NOW.plus_ms(2 * SHOP_LIFETIME_MS), expiry_suspended: true };
    assert!(trust().check(&[chain[0].bytes()], now).is_ok());
}

#[test]
fn a_shop_that_never_met_a_hub_is_met_by_its_own_word() {
    let owner = by(OWNER, OWNER, Standing::Shop { shop: shop() });
    let chain = [by(OWNER, NODE, node()), owner];
    let met = Trust::new().introduce(&[chain[0].bytes(), chain[1].bytes()], NOW).expect("whole");
    assert_eq!((met.shop, met.owner), (shop(), keys(OWNER).signing.public()));
    assert_eq!(met.node.vouched(), Vouched::Pinned);
    assert!(check(&Trust::new(), &[&chain[0], &chain[1]]).is_err(), "meeting is not trusting");
}

#[test]
fn p6_a_box_that_its_owner_did_not_sign_is_not_met() {
    let owner = by(OWNER, OWNER, Standing::Shop { shop: shop() });
    let forged = by(THIEF, NODE, node());
    assert!(Trust::new().introduce(&[forged.bytes(), owner.bytes()], NOW).is_err());
}

#[test]
fn one_certificate_more_than_any_chain_needs_is_refused() {
    let link = by(HUB, DEVICE, device());
    let checked = check(&trust(), &[&link; CHAIN_MAX + 1]);
    assert_eq!(checked, Err(Distrust::TooLong { links: CHAIN_MAX + 1 }));
}

proptest::proptest! {
    #[test]
    fn arbitrary_chains_are_refused_without_a_panic(
        chain in proptest::collection::vec(proptest::collection::vec(0u8.., 0..64), 0..6),
    ) {
        proptest::prop_assert!(trust().check(&chain, NOW).is_err());
    }
}

const NEXT_OWNER: u8 = 7;
const THIRD_OWNER: u8 = 8;

fn own() -> Standing {
    Standing::Shop { shop: shop() }
}

fn pinned_to(owner: u8) -> Trust {
    let mut trust = trust();
    trust.pin_shop(shop(), keys(owner).signing.public()).expect("first");
    trust
}

#[test]
fn p3_a_pin_follows_each_consent_of_the_owner_before() {
    let to_next = by(OWNER, NEXT_OWNER, own());
    let to_third = by(NEXT_OWNER, THIRD_OWNER, own());
    let vouched = by(HUB, THIRD_OWNER, own());
    let checked = check(&pinned_to(OWNER), &[&by(NEXT_OWNER, NODE, node()), &to_next]);
    let checked = checked.expect("one step");
    assert_eq!(checked.owner(), Some(keys(NEXT_OWNER).signing.public()));
    assert_eq!(checked.vouched(), Vouched::Pinned);
    let chain = [&by(THIRD_OWNER, NODE, node()), &to_third, &to_next, &vouched];
    let bytes: Vec<&[u8]> = chain.iter().map(|link| link.bytes()).collect();
    for trust in [pinned_to(OWNER), pinned_to(NEXT_OWNER), pinned_to(THIRD_OWNER), trust()] {
        let met = trust.introduce(&bytes, NOW).expect("each finds its way");
        assert_eq!(met.owner, keys(THIRD_OWNER).signing.public());
        assert_eq!(met.node.vouched(), Vouched::Hub(keys(HUB).id()));
    }
    let (key, sealing) = (keys(NEXT_OWNER).signing.public(), keys(NEXT_OWNER).sealing.public());
    let serial = Serial::from_slice(&[1; 16]).expect("sixteen bytes");
    let owner = &keys(OWNER).signing;
    let consent = Certificate::of_next_owner(owner, shop(), (key, sealing), NOW, serial);
    let (later, mut fresh) = (NOW.plus_ms(5 * SHOP_LIFETIME_MS), ChaCha20Rng::from_seed([9; 32]));
    let (key, sealing) = (keys(NODE).signing.public(), keys(NODE).sealing.public());
    let holder = Holder { key, sealing, standing: node() };
    let renewed = Certificate::issue(&keys(NEXT_OWNER).signing, &holder, later, &mut fresh);
    let checked = check_at(&pinned_to(OWNER), &[&renewed, &consent], later);
    assert!(checked.is_ok_and(|checked| !checked.expired()), "a consent lasts");
}

#[test]
fn p6_a_consent_counts_only_where_its_signers_key_does() {
    let node = by(NEXT_OWNER, NODE, node());
    let changed = Err(Distrust::OwnerChanged { shop: shop() });
    let pinned = pinned_to(OWNER);
    assert_eq!(check(&pinned, &[&node, &by(NEXT_OWNER, NEXT_OWNER, own())]), changed);
    assert_eq!(check(&pinned, &[&node, &by(THIEF, NEXT_OWNER, own())]), changed);
    assert_eq!(check(&pinned, &[&node, &by(HUB, NEXT_OWNER, own())]), changed, "no hub gives it");
    let elsewhere = Standing::Shop { shop: ShopId::new(NOW, [9; 10]) };
    assert_eq!(check(&pinned, &[&node, &by(OWNER, NEXT_OWNER, elsewhere)]), changed);
    let till = Standing::Staff {
        shop: shop(),
        role: StaffRole::Owner,
        account: None,
        label: String::new(),
    };
    let helped = [&node, &by(THIEF, NEXT_OWNER, own()), &by(OWNER, THIEF, till)];
    assert_eq!(check(&pinned, &helped), changed, "who helps the owner gives nothing away");
    // In a circle, under nobody.
    let circle = [&node, &by(THIEF, NEXT_OWNER, own()), &by(NEXT_OWNER, THIEF, own())];
    assert_eq!(check(&pinned, &circle), changed);
    assert!(check(&trust(), &circle).is_err());
    // Who was followed once is not gone back to.
    let back = [&by(OWNER, NODE, self::node()), &by(OWNER, OWNER, own())];
    assert_eq!(check(&pinned_to(NEXT_OWNER), &back), changed);
}

#[test]
fn p6_a_consent_that_was_withdrawn_or_stands_under_a_withdrawn_word_counts_no_more() {
    let (node, consent) = (by(NEXT_OWNER, NODE, node()), by(OWNER, NEXT_OWNER, own()));
    let vouched = by(HUB, OWNER, own());
    let mut pinned = pinned_to(OWNER);
    revoke(&mut pinned, OWNER, &consent);
    let revoked =
        |link: &SignedCertificate| Err(Distrust::Revoked { serial: link.certificate().serial });
    assert_eq!(check(&pinned, &[&node, &consent]), revoked(&consent));
    let mut stranger = trust();
    let chain = [&node, &consent, &vouched];
    let checked = check(&stranger, &chain).expect("a hub vouched for who consented");
    assert_eq!(checked.owner(), Some(keys(NEXT_OWNER).signing.public()));
    revoke(&mut stranger, HUB, &vouched);
    assert_eq!(check(&stranger, &chain), revoked(&vouched));
}
