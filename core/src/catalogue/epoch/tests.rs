//! A document that begins anew, and people who still have the old one.

use super::*;
use crate::{
    catalogue::{
        BucketNo,
        batch::Batch,
        conflict::{Conflict, Value},
        edit::Edit,
        history,
        product::{Language, Product},
    },
    id::{ShopId, VariantId},
    key::SigningKey,
    money::{Currency, Price},
};

struct Person {
    key: SigningKey,
    author: Author,
}

fn person(n: u8) -> Person {
    let key = SigningKey::from_seed([n; 32]);
    let author = Author { key: key.id(), incarnation: u64::from(n) << 32 };
    Person { key, author }
}

fn rice() -> ProductId {
    ProductId::new(UnixMs::new(1), [1; 10])
}

fn sack() -> VariantId {
    VariantId::new(UnixMs::new(1), [1; 10])
}

fn rupees(minor: i64) -> Price {
    Price { minor, per: 1, currency: Currency::INR }
}

fn price(minor: i64) -> Edit {
    Edit::SetPrice { product: rice(), variant: sack(), price: Some(rupees(minor)) }
}

fn brand(name: Option<&str>) -> Edit {
    let mut product = product();
    product.brand = name.map(str::to_owned);
    Edit::PutProduct(Box::new(product))
}

fn product() -> Product {
    let mut product = Product::new(rice(), Language::ENGLISH, "Rice", sack());
    product.variants.values_mut().for_each(|variant| variant.price = Some(rupees(100)));
    product
}

/// A bucket with rice at 100, which the owner put there at 1.
fn stocked() -> Bucket {
    let mut bucket = Bucket::new(ShopId::new(UnixMs::new(1), [9; 10]), BucketNo::FIRST);
    let put = Edit::PutProduct(Box::new(product()));
    bucket.edit(&person(1).author, &put, UnixMs::new(1)).expect("rice");
    bucket
}

fn renewed(bucket: &Bucket) -> Renewed {
    let node = Author { incarnation: 77, ..person(1).author };
    bucket.renew(&node, UnixMs::new(9_000)).expect("a new document")
}

/// What somebody who has only `closed` makes, and what is carried over of it.
fn late(closed: &Bucket, by: &Person, edits: &[Edit]) -> (Bucket, Difference) {
    let mut own = closed.clone();
    let known = own.heads();
    own.edit_all(&by.author, edits, UnixMs::new(5_000)).expect("an edit");
    let batch = Batch::sign(&by.key, &by.author, &own, &known, vec![], UnixMs::new(5_000));
    let bytes = batch.expect("a batch").to_vec();
    let batch = Batch::parse(&bytes).expect("a batch").verify(&by.key.public()).expect("signed");
    let (closed, difference) = closed.admit_late(&batch).expect("admitted");
    assert_eq!(closed.admit_late(&batch).expect("admitted again").1, None, "once only");
    (closed, difference.expect("something new"))
}

fn carry(new: &mut Renewed, difference: &Difference, by: &Person) -> BTreeSet<ProductId> {
    let author = Author { incarnation: 4_711, ..by.author };
    let carried = new.document.carry_over(&new.skeleton, difference, &author, UnixMs::new(5_000));
    carried.expect("carried over")
}

fn holds(bucket: &Bucket) -> Option<Price> {
    bucket.product(rice()).expect("rice").variants[&sack()].price
}

fn clash(bucket: &Bucket) -> Vec<(i64, KeyId, u64)> {
    let all = bucket.conflicts();
    let [Conflict { values, .. }] = all.as_slice() else { panic!("one clash, not {all:?}") };
    let of = |claim: &super::super::conflict::Claim| match claim.value {
        Value::Price(price) => (price.minor, claim.author.expect("an author"), claim.at.get()),
        _ => panic!("a price"),
    };
    values.iter().map(of).collect()
}

#[test]
fn p5_a_document_that_begins_anew_holds_the_same_and_forgets_how_it_came() {
    let mut closed = stocked();
    for n in 0..200 {
        closed
            .edit(&person(2).author, &price(1_000 + n), UnixMs::new(10 + n as u64))
            .expect("edit");
    }
    let new = renewed(&closed);
    assert_eq!(new.document.products(), closed.products());
    assert!(new.document.conflicts().is_empty());
    assert!(new.document.save().len() * 2 < closed.save().len(), "it is shorter");
    let again = Bucket::load(closed.shop(), closed.number(), &new.document.save());
    assert_eq!(again.expect("a bucket").products(), closed.products());
    assert!(history::of(&new.document, rice(), &new.begun).expect("a history").is_empty());
}

#[test]
fn p5_a_clash_that_nobody_settled_waits_in_the_new_document_with_who_and_when() {
    let mut closed = stocked();
    let (meera, arun) = (person(2), person(3));
    let upon = closed.heads();
    closed.edit(&meera.author, &price(120), UnixMs::new(20)).expect("an edit");
    closed
        .edit_upon(&upon, &arun.author, &[price(130)], UnixMs::new(30))
        .expect("heads")
        .expect("ok");
    let before = clash(&closed);
    let new = renewed(&closed);
    assert_eq!(clash(&new.document), before);
    assert_eq!(holds(&new.document), holds(&closed));
    let twice = renewed(&new.document);
    assert_eq!(clash(&twice.document), before, "and in the one after");
}

#[test]
fn p5_a_price_set_upon_a_closed_document_is_a_clash_and_does_not_hold() {
    let closed = stocked();
    let mut new = renewed(&closed);
    let meera = person(2);
    let (_, difference) = late(&closed, &meera, &[price(120)]);
    assert_eq!(carry(&mut new, &difference, &meera), BTreeSet::from([rice()]));
    assert_eq!(holds(&new.document), Some(rupees(100)), "what held goes on holding");
    let (node, hers) = (person(1).author.key, meera.author.key);
    assert_eq!(clash(&new.document), [(120, hers, 5_000), (100, node, 1)]);
    let before = new.document.heads();
    carry(&mut new, &difference, &meera);
    assert_eq!(clash(&new.document).len(), 2, "the same again adds nothing to the clash");
    let settled = new.document.edit(&person(1).author, &price(120), UnixMs::new(9_999));
    assert_eq!(settled, Ok(true));
    assert!(new.document.conflicts().is_empty());
    assert_ne!(new.document.heads(), before);
}

#[test]
fn p5_it_is_a_clash_too_where_others_went_on_since() {
    let mut closed = stocked();
    let (meera, arun) = (person(2), person(3));
    let early = closed.clone();
    closed.edit(&arun.author, &price(130), UnixMs::new(30)).expect("before the end");
    let mut new = renewed(&closed);
    let since = Author { incarnation: 5, ..arun.author };
    new.document.edit(&since, &price(140), UnixMs::new(9_500)).expect("after it");
    // Made upon what stood before anybody else's edit, and arriving after all of them.
    let mut own = early.clone();
    own.edit(&meera.author, &price(120), UnixMs::new(5_000)).expect("an edit");
    let batch =
        Batch::sign(&meera.key, &meera.author, &own, &early.heads(), vec![], UnixMs::new(1));
    let bytes = batch.expect("a batch").to_vec();
    let batch = Batch::parse(&bytes).expect("parsed").verify(&meera.key.public()).expect("signed");
    let (_, difference) = closed.admit_late(&batch).expect("admitted");
    carry(&mut new, &difference.expect("new"), &meera);
    assert_eq!(holds(&new.document), Some(rupees(140)));
    let prices: Vec<i64> = clash(&new.document).iter().map(|(minor, ..)| *minor).collect();
    assert_eq!(prices, [120, 140]);
}

#[test]
fn what_is_the_same_already_is_no_clash_and_what_is_missing_is_filled() {
    let closed = stocked();
    let mut new = renewed(&closed);
    let meera = person(2);
    let since = Author { incarnation: 5, ..person(1).author };
    new.document.edit(&since, &price(120), UnixMs::new(9_500)).expect("an edit");
    let (_, difference) = late(&closed, &meera, &[price(120)]);
    assert!(carry(&mut new, &difference, &meera).is_empty());
    let mut branded = product();
    branded.brand = Some("Kohinoor".to_owned());
    branded.variants.values_mut().for_each(|variant| variant.price = Some(rupees(100)));
    let (_, difference) = late(&closed, &meera, &[Edit::PutProduct(Box::new(branded))]);
    carry(&mut new, &difference, &meera);
    assert_eq!(new.document.product(rice()).expect("rice").brand.as_deref(), Some("Kohinoor"));
    assert!(new.document.conflicts().is_empty());
}

#[test]
fn p5_a_product_that_somebody_added_late_is_there_and_can_be_edited_further() {
    let closed = stocked();
    let mut new = renewed(&closed);
    let meera = person(2);
    let (dal, bag) =
        (ProductId::new(UnixMs::new(2), [2; 10]), VariantId::new(UnixMs::new(2), [2; 10]));
    let mut product = Product::new(dal, Language::ENGLISH, "Dal", bag);
    product.variants.values_mut().for_each(|variant| variant.price = Some(rupees(80)));
    let (closed, difference) =
        late(&closed, &meera, &[Edit::PutProduct(Box::new(product.clone()))]);
    assert_eq!(carry(&mut new, &difference, &meera), BTreeSet::from([dal]));
    assert_eq!(new.document.product(dal), Some(product));
    assert!(new.document.conflicts().is_empty());
    let dearer = Edit::SetPrice { product: dal, variant: bag, price: Some(rupees(85)) };
    let next = Person { author: Author { incarnation: 8, ..meera.author }, ..meera };
    let (_, difference) = late(&closed, &next, &[dearer]);
    let author = Author { incarnation: 4_712, ..next.author };
    let carried = new.document.carry_over(&new.skeleton, &difference, &author, UnixMs::new(6));
    assert_eq!(carried, Ok(BTreeSet::from([dal])));
    let held = |bucket: &Bucket| bucket.product(dal).expect("dal").variants[&bag].price;
    assert_eq!(held(&new.document), Some(rupees(85)), "nobody else said anything about it");
    let since = Author { incarnation: 5, ..person(1).author };
    let own = Edit::SetPrice { product: dal, variant: bag, price: Some(rupees(90)) };
    new.document.edit(&since, &own, UnixMs::new(9_500)).expect("an edit");
    let last = Edit::SetPrice { product: dal, variant: bag, price: Some(rupees(95)) };
    let (_, difference) = late(&closed, &next, &[last]);
    let author = Author { incarnation: 4_713, ..next.author };
    new.document.carry_over(&new.skeleton, &difference, &author, UnixMs::new(7)).expect("carried");
    let prices: BTreeSet<i64> = clash(&new.document).iter().map(|(minor, ..)| *minor).collect();
    assert_eq!(prices, BTreeSet::from([90, 95]), "but now somebody did");
}

#[test]
fn what_was_cleared_late_is_cleared_unless_somebody_set_it_since() {
    let meera = person(2);
    for (since, left) in [(None, None), (Some("Daawat"), Some("Daawat"))] {
        let mut closed = stocked();
        closed.edit(&person(1).author, &brand(Some("Kohinoor")), UnixMs::new(5)).expect("an edit");
        let mut new = renewed(&closed);
        if since.is_some() {
            let author = Author { incarnation: 5, ..person(1).author };
            new.document.edit(&author, &brand(since), UnixMs::new(9_500)).expect("an edit");
        }
        let (_, difference) = late(&closed, &meera, &[brand(None)]);
        carry(&mut new, &difference, &meera);
        assert_eq!(new.document.product(rice()).expect("rice").brand.as_deref(), left);
    }
}
