//! Devices of one household that edit apart, and what they agree upon.

use proptest::prelude::*;

use super::*;
use crate::{
    id::{AddressId, CartId, ProductId, ShopId, VariantId},
    key::KeyId,
    money::Price,
    quantity::Unit,
};

const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

fn device(n: u8) -> Author {
    Author { key: KeyId::of(&[n; 32]), incarnation: u64::from(n) }
}

fn item(n: u8) -> Item {
    Item {
        shop: ShopId::new(NOW, [1; 10]),
        product: ProductId::new(NOW, [n; 10]),
        variant: VariantId::new(NOW, [n; 10]),
    }
}

fn rice() -> Item {
    item(3)
}

fn grams(amount: u64) -> Quantity {
    Quantity::new(amount, Unit::Gram).expect("some")
}

fn party() -> CartId {
    CartId::new(NOW, [5; 10])
}

fn wanted_in(household: &Household, cart: CartId) -> u64 {
    household.lines(cart).iter().map(|line| line.quantity.amount()).sum()
}

fn wanted(household: &Household) -> u64 {
    wanted_in(household, usual_cart())
}

/// Two devices of one household that know the same.
fn two() -> (Household, Household) {
    let mut one = Household::new(device(1));
    one.set_name("Rao", NOW).expect("short");
    one.new_cart(party(), "party", NOW).expect("made");
    let two = Household::load(&one.save(), device(2)).expect("read");
    (one, two)
}

fn exchange(one: &mut Household, two: &mut Household) {
    two.merge(&one.save()).expect("read");
    one.merge(&two.save()).expect("read");
}

#[test]
fn p5_two_devices_that_add_the_same_item_apart_add_up() {
    let (mut one, mut two) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    two.add(usual_cart(), rice(), grams(1000), NOW).expect("added");
    exchange(&mut one, &mut two);
    assert_eq!((wanted(&one), wanted(&two)), (1500, 1500));
    assert_eq!(one.merge(&two.save()), Ok(false), "the same again is no news");
}

#[test]
fn p5_a_removal_takes_away_what_it_saw_and_not_what_was_added_meanwhile() {
    let (mut one, mut two) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    two.merge(&one.save()).expect("read");
    two.remove(usual_cart(), rice().shop, rice().variant, NOW).expect("there");
    one.add(usual_cart(), rice(), grams(250), NOW).expect("added");
    exchange(&mut one, &mut two);
    assert_eq!(wanted(&one), 750, "the count that grew meanwhile stays whole");
    assert_eq!(wanted(&one), wanted(&two));
}

#[test]
fn a_cart_remembers_what_a_thing_cost_when_it_was_put_in_last() {
    let (mut one, mut two) = two();
    let price = |minor| Price { minor, per: 1_000, currency: crate::money::Currency::INR };
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    assert_eq!(one.lines(usual_cart())[0].seen, None, "by a version that does not say");
    one.saw(usual_cart(), rice(), price(4_500), NOW).expect("noted");
    exchange(&mut one, &mut two);
    two.saw(usual_cart(), rice(), price(4_800), NOW.plus_ms(1)).expect("noted");
    exchange(&mut one, &mut two);
    assert_eq!(one.lines(usual_cart())[0].seen, Some(price(4_800)));
    let nowhere = CartId::new(NOW, [9; 10]);
    assert!(one.saw(nowhere, rice(), price(1), NOW).is_err());
}

#[test]
fn p5_a_cart_that_was_dropped_comes_back_with_what_was_put_in_meanwhile() {
    let (mut one, mut two) = two();
    one.add(party(), rice(), grams(500), NOW).expect("added");
    two.merge(&one.save()).expect("read");
    two.drop_cart(party(), NOW).expect("there");
    assert_eq!(two.carts().len(), 1);
    one.add(party(), item(4), grams(250), NOW).expect("added");
    exchange(&mut one, &mut two);
    assert_eq!(one.carts(), two.carts());
    let back = &one.carts()[1];
    assert_eq!((back.name.as_str(), back.items), ("party", 1));
    assert_eq!(wanted_in(&one, party()), 250);
    one.drop_cart(party(), NOW).expect("there");
    assert_eq!(one.find_cart("party"), Err(HouseholdError::NoSuchCart));
}

#[test]
fn a_device_that_was_restored_and_counts_on_apart_loses_no_more_than_it_must() {
    let (mut one, _) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    let again = Author { incarnation: 77, ..device(1) };
    let mut restored = Household::load(&one.save(), again).expect("read");
    one.add(usual_cart(), rice(), grams(100), NOW).expect("added");
    restored.add(usual_cart(), rice(), grams(300), NOW).expect("added");
    exchange(&mut one, &mut restored);
    assert_eq!((wanted(&one), wanted(&restored)), (800, 800));
}

#[test]
fn carts_are_apart_and_found_by_their_names() {
    let (mut one, _) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    one.add(party(), rice(), grams(100), NOW).expect("added");
    assert_eq!((wanted(&one), wanted_in(&one, party())), (500, 100));
    one.rename_cart(party(), "Asha's wedding", NOW).expect("there");
    assert_eq!(one.find_cart("Asha's wedding"), Ok(party()));
    assert_eq!(one.find_cart(&party().to_string()), Ok(party()));
    assert_eq!(one.find_cart(USUAL_CART), Ok(usual_cart()));
    let other = CartId::new(NOW, [6; 10]);
    assert_eq!(one.new_cart(other, USUAL_CART, NOW), Err(HouseholdError::SameName));
    assert_eq!(one.new_cart(other, " ", NOW), Err(HouseholdError::Text));
    assert_eq!(one.add(other, rice(), grams(1), NOW), Err(HouseholdError::NoSuchCart));
    one.drop_cart(usual_cart(), NOW).expect("emptied");
    assert_eq!(one.carts().len(), 2, "the usual cart stays");
    assert_eq!((wanted(&one), wanted_in(&one, party())), (0, 100));
}

#[test]
fn one_cart_past_the_limit_is_refused() {
    let mut one = Household::new(device(1));
    for n in 1..CARTS_MAX as u8 {
        one.new_cart(CartId::new(NOW, [n; 10]), &format!("cart {n}"), NOW).expect("room");
    }
    let one_more = one.new_cart(CartId::new(NOW, [99; 10]), "one more", NOW);
    assert_eq!(one_more, Err(HouseholdError::TooManyCarts));
}

#[test]
fn a_removed_item_is_gone_and_can_be_added_again() {
    let (mut one, _) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    one.remove(usual_cart(), rice().shop, rice().variant, NOW).expect("there");
    assert_eq!(one.lines(usual_cart()), []);
    let again = one.remove(usual_cart(), rice().shop, rice().variant, NOW);
    assert_eq!(again, Err(HouseholdError::NotThere));
    one.add(usual_cart(), rice(), grams(100), NOW).expect("added");
    assert_eq!(wanted(&one), 100);
}

#[test]
fn an_ordered_cart_is_emptied_for_its_shop_only() {
    let (mut one, _) = two();
    let elsewhere = Item { shop: ShopId::new(NOW, [9; 10]), ..rice() };
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    one.add(usual_cart(), elsewhere, grams(200), NOW).expect("added");
    one.add(party(), rice(), grams(50), NOW).expect("added");
    one.empty_cart(usual_cart(), Some(rice().shop), NOW).expect("something");
    let left = one.lines(usual_cart());
    assert_eq!((left.len(), left[0].item), (1, elsewhere));
    assert_eq!(wanted_in(&one, party()), 50);
}

#[test]
fn a_cart_that_changed_since_it_was_ordered_keeps_all_that_is_in_it() {
    let (mut one, _) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    let other = Item { variant: VariantId::new(NOW, [9; 10]), ..rice() };
    one.add(usual_cart(), other, grams(200), NOW).expect("added meanwhile");
    let ordered = [(rice().variant, grams(500)), (other.variant, grams(200))];
    for wrong in [&ordered[..1], &[(rice().variant, grams(400)), ordered[1]], &[]] {
        let refused = one.take_ordered(usual_cart(), (rice().shop, wrong), NOW);
        assert_eq!(refused, Err(HouseholdError::NotThere));
        assert_eq!(one.lines(usual_cart()).len(), 2);
    }
    one.take_ordered(usual_cart(), (rice().shop, &ordered), NOW).expect("just that");
    assert_eq!(one.lines(usual_cart()), []);
    let again = one.take_ordered(usual_cart(), (rice().shop, &ordered), NOW);
    assert_eq!(again, Err(HouseholdError::NotThere));
}

#[test]
fn one_address_is_the_usual_one_and_two_of_one_label_are_both_kept() {
    let (mut one, mut two) = two();
    let of = |label: &str| Address {
        label: label.to_owned(),
        text: "14 Second Cross".to_owned(),
        ..Address::default()
    };
    let id = |n: u64| AddressId::new(NOW.plus_ms(n), [0; 10]);
    assert_eq!(one.usual_address(), None);
    one.put_address(id(1), &of("home"), NOW).expect("put");
    two.put_address(id(2), &of("home"), NOW).expect("put");
    exchange(&mut one, &mut two);
    assert_eq!((one.addresses().len(), one.usual_address()), (2, Some(id(1))));
    one.choose_address(id(2), NOW).expect("there");
    assert_eq!(one.usual_address(), Some(id(2)));
    one.remove_address(id(2), NOW).expect("there");
    assert_eq!(one.usual_address(), Some(id(1)), "the oldest takes its place");
    assert_eq!(one.choose_address(id(2), NOW), Err(HouseholdError::NotThere));
}

#[test]
fn preferences_are_kept_apart_from_each_other_and_can_be_taken_back() {
    let (mut one, mut two) = two();
    one.prefer("language", Some("hi"), NOW).expect("short");
    two.prefer("substitution", Some("ask"), NOW).expect("short");
    exchange(&mut one, &mut two);
    assert_eq!(one.preferences().len(), 2);
    one.prefer("language", None, NOW).expect("there");
    assert_eq!(one.preferences().len(), 1);
    let long = "x".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(one.prefer("note", Some(&long), NOW), Err(HouseholdError::Text));
}

#[test]
fn one_item_is_not_counted_in_two_units() {
    let (mut one, _) = two();
    one.add(usual_cart(), rice(), grams(500), NOW).expect("added");
    let pieces = Quantity::new(1, Unit::Piece).expect("some");
    let refused = one.add(usual_cart(), rice(), pieces, NOW);
    assert_eq!(refused, Err(HouseholdError::OtherUnit));
    one.add(party(), rice(), pieces, NOW).expect("another cart counts as it likes");
}

#[test]
fn the_same_edits_give_the_same_bytes() {
    let made = || {
        let (mut one, _) = two();
        one.add(party(), rice(), grams(500), NOW).expect("added");
        one.save()
    };
    assert_eq!(made(), made());
}

/// One thing that a device does.
#[derive(Debug, Clone)]
enum Deed {
    Add { item: u8, amount: u64, party: bool },
    Remove { item: u8, party: bool },
    Drop,
    Rename(u8),
    Address(u8),
    Prefer(u8),
    Hear { from: usize },
}

fn deed(adds_only: bool) -> BoxedStrategy<Deed> {
    let add = (0u8..3, 1u64..500, any::<bool>()).prop_map(|(item, amount, party)| Deed::Add {
        item,
        amount,
        party,
    });
    let hear = (0usize..3).prop_map(|from| Deed::Hear { from });
    match adds_only {
        true => prop_oneof![3 => add, 1 => hear].boxed(),
        false => prop_oneof![
            4 => add,
            2 => (0u8..3, any::<bool>()).prop_map(|(item, party)| Deed::Remove { item, party }),
            1 => Just(Deed::Drop),
            1 => (0u8..9).prop_map(Deed::Rename),
            1 => (0u8..3).prop_map(Deed::Address),
            1 => (0u8..3).prop_map(Deed::Prefer),
            3 => hear,
        ]
        .boxed(),
    }
}

/// Does it; what the document refuses changes nothing.
fn perform(household: &mut Household, deed: &Deed) -> Result<(), HouseholdError> {
    let cart = |is_party: bool| if is_party { party() } else { usual_cart() };
    match deed {
        Deed::Add { item: n, amount, party } => {
            household.add(cart(*party), item(*n), grams(*amount), NOW)
        }
        Deed::Remove { item: n, party } => {
            household.remove(cart(*party), item(*n).shop, item(*n).variant, NOW)
        }
        Deed::Drop => household.drop_cart(party(), NOW),
        Deed::Rename(n) => household.rename_cart(party(), &format!("party {n}"), NOW),
        Deed::Address(n) => {
            let (label, text) = (format!("label {n}"), format!("street {n}"));
            let address = Address { label, text, ..Address::default() };
            household.put_address(AddressId::new(NOW, [*n; 10]), &address, NOW)
        }
        Deed::Prefer(n) => household.prefer("language", Some(&format!("l{n}")), NOW),
        Deed::Hear { .. } => Ok(()),
    }
}

/// Everything that a person can see.
fn seen(household: &Household) -> impl PartialEq + std::fmt::Debug + use<> {
    let lines: Vec<_> =
        household.carts().into_iter().map(|cart| (household.lines(cart.id), cart)).collect();
    let usual = household.usual_address();
    (lines, household.addresses(), usual, household.preferences(), household.heads())
}

/// Three devices act; gives them, and each change as it went out.
fn act(deeds: &[(usize, Deed)]) -> (Vec<Household>, Vec<Vec<u8>>) {
    let (first, _) = two();
    let begun = first.save();
    let mut devices: Vec<Household> =
        (1..4).map(|n| Household::load(&begun, device(10 + n)).expect("read")).collect();
    let mut sent = vec![begun];
    for (who, deed) in deeds {
        if let Deed::Hear { from } = deed {
            let heard = devices[*from].save();
            devices[*who].merge(&heard).expect("read");
            continue;
        }
        let before = devices[*who].heads();
        // A refusal is one of the things that happen to people.
        if perform(&mut devices[*who], deed).is_ok() {
            sent.push(devices[*who].since(&before));
        }
    }
    (devices, sent)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn p5_any_order_and_any_duplication_of_changes_gives_one_state(
        deeds in proptest::collection::vec((0usize..3, deed(false)), 0..24),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        order in any::<u64>(),
    ) {
        let (mut devices, sent) = act(&deeds);
        let all: Vec<Vec<u8>> = devices.iter().map(Household::save).collect();
        for device in &mut devices {
            all.iter().for_each(|saved| { device.merge(saved).expect("read"); });
        }
        let mut delivered: Vec<&Vec<u8>> = picks.iter().map(|pick| pick.get(&sent)).collect();
        let mut rest: Vec<&Vec<u8>> = sent.iter().collect();
        let mut state = order;
        while !rest.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % rest.len();
            delivered.push(rest.swap_remove(at));
        }
        let mut reader = Household::new(device(99));
        for changes in delivered {
            reader.apply(changes).expect("genuine");
            // Also across a restart, with changes that still wait for others.
            reader = Household::load(&reader.save(), device(99)).expect("read");
        }
        for device in &devices {
            prop_assert_eq!(seen(device), seen(&reader));
        }
    }

    #[test]
    fn p5_no_addition_is_lost(deeds in proptest::collection::vec((0usize..3, deed(true)), 0..40)) {
        let (mut devices, _) = act(&deeds);
        let all: Vec<Vec<u8>> = devices.iter().map(Household::save).collect();
        all.iter().for_each(|saved| { devices[0].merge(saved).expect("read"); });
        for n in 0..3 {
            for (is_party, cart) in [(false, usual_cart()), (true, party())] {
                let added: u64 = deeds.iter().filter_map(|(_, deed)| match deed {
                    Deed::Add { item, amount, party } if *item == n && *party == is_party => {
                        Some(*amount)
                    }
                    _ => None,
                }).sum();
                let lines = devices[0].lines(cart);
                let line = lines.iter().find(|line| line.item == item(n));
                prop_assert_eq!(line.map_or(0, |line| line.quantity.amount()), added);
            }
        }
    }

    #[test]
    fn p5_what_was_added_after_a_removal_looked_is_there_afterwards(
        before in 1u64..500, after in 1u64..500, drops in any::<bool>(),
    ) {
        let (mut one, mut two) = two();
        one.add(party(), rice(), grams(before), NOW).expect("added");
        two.merge(&one.save()).expect("read");
        one.add(party(), rice(), grams(after), NOW).expect("added");
        match drops {
            true => two.drop_cart(party(), NOW).expect("there"),
            false => two.remove(party(), rice().shop, rice().variant, NOW).expect("there"),
        }
        exchange(&mut one, &mut two);
        prop_assert!(wanted_in(&one, party()) >= after);
        prop_assert_eq!(seen(&one), seen(&two));
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
        // An empty document is what no bytes stand for.
        prop_assume!(!bytes.is_empty());
        prop_assert!(Household::load(&bytes, device(1)).is_err());
    }
}
