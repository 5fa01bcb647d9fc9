//! A shop's catalogue edited by several people apart.

use kirana_core::{
    catalogue::{
        BucketNo,
        batch::{Batch, Refused},
        conflict::{Field, Value},
        document::{Author, Bucket, Heads},
        edit::{Edit, EditError},
        pricing::{Deal, Terms},
        product::{Language, Product, ProductError, Variant},
    },
    id::{ProductId, ShopId, VariantId},
    key::SigningKey,
    money::{Currency, Price},
    quantity::{Quantity, Unit},
    time::UnixMs,
};

fn shop() -> ShopId {
    ShopId::new(UnixMs::new(1), [9; 10])
}

fn product_id(n: u8) -> ProductId {
    ProductId::new(UnixMs::new(1), [n; 10])
}

fn variant_id(n: u8) -> VariantId {
    VariantId::new(UnixMs::new(2), [n; 10])
}

fn rupees(minor: i64) -> Price {
    Price { minor, per: 1, currency: Currency::INR }
}

fn product(n: u8, name: &str) -> Product {
    let mut product = Product::new(product_id(n), Language::ENGLISH, name, variant_id(n));
    product.variants.values_mut().for_each(|variant| variant.price = Some(rupees(10_000)));
    product
}

fn put(product: Product) -> Edit {
    Edit::PutProduct(Box::new(product))
}

fn price(n: u8, minor: i64) -> Edit {
    Edit::SetPrice { product: product_id(n), variant: variant_id(n), price: Some(rupees(minor)) }
}

struct Staff {
    key: SigningKey,
    author: Author,
}

fn staff(n: u8) -> Staff {
    let key = SigningKey::from_seed([n; 32]);
    let author = Author { key: key.id(), incarnation: u64::from(n) << 32 };
    Staff { key, author }
}

/// A bucket with three products, as the node has it.
fn stocked() -> Bucket {
    let node = staff(1);
    let mut bucket = Bucket::new(shop(), BucketNo::FIRST);
    for (n, name) in [(1, "Rice"), (2, "Dal"), (3, "Atta")] {
        let made = bucket.edit(&node.author, &put(product(n, name)), UnixMs::new(1_000));
        assert_eq!(made, Ok(true));
    }
    bucket
}

fn batch(staff: &Staff, bucket: &Bucket, known: &Heads) -> Vec<u8> {
    let batch = Batch::sign(&staff.key, &staff.author, bucket, known, vec![], UnixMs::new(9));
    batch.expect("something to send").to_vec()
}

fn admit(node: &Bucket, staff: &Staff, bytes: &[u8]) -> Result<Bucket, Refused> {
    let batch = Batch::parse(bytes).expect("well formed").verify(&staff.key.public())?;
    node.admit(&batch).map(|(next, _)| next)
}

#[test]
fn the_same_edits_give_the_same_bytes_on_every_machine() {
    assert_eq!(stocked().save(), stocked().save());
    assert_eq!(stocked().since(&Heads::default()), stocked().since(&Heads::default()));
}

#[test]
fn a_saved_bucket_is_read_back_product_by_product() {
    let mut rich = product(4, "Basmati rice");
    rich.names.insert(Language::HINDI, "बासमती चावल".to_owned());
    rich.synonyms.extend(["chawal".to_owned(), "rice".to_owned()]);
    rich.brand = Some("Daily".to_owned());
    rich.tax_bp = 500;
    rich.counted = false;
    rich.allergens.insert("none".to_owned());
    let mut bucket = stocked();
    bucket.edit(&staff(1).author, &put(rich.clone()), UnixMs::new(5)).expect("an edit");
    let read = Bucket::load(shop(), BucketNo::FIRST, &bucket.save()).expect("a bucket");
    assert_eq!(read.products(), bucket.products());
    assert_eq!(read.product(rich.id), Some(rich));
    assert_eq!(read.heads(), bucket.heads());
}

#[test]
fn a_reader_follows_chunk_by_chunk_and_learns_what_changed() {
    let node = staff(1);
    let mut bucket = stocked();
    let mut reader = Bucket::new(shop(), BucketNo::FIRST);
    let all = reader.apply(&bucket.since(&Heads::default())).expect("a chunk");
    assert_eq!(all.len(), 3);
    let before = bucket.heads();
    bucket.edit(&node.author, &price(2, 9_500), UnixMs::new(2_000)).expect("an edit");
    let chunk = bucket.since(&before);
    let changed = reader.apply(&chunk).expect("a chunk");
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), [product_id(2)]);
    assert_eq!(reader.products(), bucket.products());
    assert!(reader.apply(&chunk).expect("the same chunk").is_empty());
    let between = bucket.changed_between(&before, &bucket.heads()).expect("products");
    assert_eq!(between.into_iter().collect::<Vec<_>>(), [product_id(2)]);
}

#[test]
fn a_chunk_without_the_one_before_it_is_a_gap() {
    let mut bucket = stocked();
    let before = bucket.heads();
    bucket.edit(&staff(1).author, &price(2, 9_500), UnixMs::new(2_000)).expect("an edit");
    let mut reader = Bucket::new(shop(), BucketNo::FIRST);
    assert!(reader.apply(&bucket.since(&before)).is_err());
}

#[test]
fn an_edit_that_changes_nothing_leaves_no_trace() {
    let mut bucket = stocked();
    let before = bucket.heads();
    let again = bucket.edit(&staff(1).author, &put(product(1, "Rice")), UnixMs::new(7));
    assert_eq!(again, Ok(false));
    assert_eq!(bucket.heads(), before);
}

#[test]
fn a_refused_edit_leaves_the_document_as_it_was() {
    let mut bucket = stocked();
    let (before, node) = (bucket.save(), staff(1));
    let edits = [price(1, 5_000), price(2, -1)];
    let made = bucket.edit_all(&node.author, &edits, UnixMs::new(7));
    let why = ProductError::Price;
    assert_eq!(made, Err(EditError::Limits { product: product_id(2), why }));
    let made = bucket.edit(&node.author, &price(7, 1), UnixMs::new(7));
    assert_eq!(made, Err(EditError::NoSuchProduct(product_id(7))));
    assert_eq!(bucket.save(), before);
}

#[test]
fn p5_edits_of_different_fields_made_apart_both_stay() {
    let node = stocked();
    let (mut a, mut b) = (node.clone(), node.clone());
    a.edit(&staff(2).author, &price(1, 9_000), UnixMs::new(10)).expect("an edit");
    let mut renamed = product(1, "Rice");
    renamed.brand = Some("Daily".to_owned());
    b.edit(&staff(3).author, &put(renamed), UnixMs::new(11)).expect("an edit");
    a.apply(&b.since(&node.heads())).expect("a chunk");
    let merged = a.product(product_id(1)).expect("a product");
    assert_eq!(merged.variants[&variant_id(1)].price, Some(rupees(9_000)));
    assert_eq!(merged.brand.as_deref(), Some("Daily"));
    assert_eq!(a.conflicts(), []);
}

#[test]
fn p5_two_prices_set_apart_are_both_shown_until_somebody_picks() {
    let node = stocked();
    let (mut a, mut b) = (node.clone(), node.clone());
    let (asha, ben) = (staff(2), staff(3));
    a.edit(&asha.author, &price(1, 9_000), UnixMs::new(10)).expect("an edit");
    b.edit(&ben.author, &price(1, 11_000), UnixMs::new(20)).expect("an edit");
    a.apply(&b.since(&node.heads())).expect("a chunk");
    let conflicts = a.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].product, conflicts[0].variant), (product_id(1), Some(variant_id(1))));
    assert_eq!(conflicts[0].field, Field::price());
    let mut claims: Vec<_> =
        conflicts[0].values.iter().map(|c| (c.at.get(), c.author, c.value.clone())).collect();
    claims.sort_by_key(|claim| claim.0);
    let claimed = |minor| Value::Price(rupees(minor));
    assert_eq!(claims[0], (10, Some(asha.key.id()), claimed(9_000)));
    assert_eq!(claims[1], (20, Some(ben.key.id()), claimed(11_000)));
    // The last one listed is the one that holds meanwhile.
    let held = a.product(product_id(1)).and_then(|p| p.variants[&variant_id(1)].price);
    let last = conflicts[0].values.last().map(|claim| claim.value.clone());
    assert_eq!(held.map(Value::Price), last);
    let settle = Edit::Settle {
        product: product_id(1),
        variant: Some(variant_id(1)),
        field: Field::price(),
        value: claimed(11_000),
    };
    a.edit(&asha.author, &settle, UnixMs::new(30)).expect("an edit");
    assert_eq!(a.conflicts(), []);
    assert_eq!(
        a.product(product_id(1)).expect("it").variants[&variant_id(1)].price,
        Some(rupees(11_000))
    );
}

#[test]
fn p5_an_edit_upon_an_older_state_clashes_instead_of_overwriting() {
    let mut node = stocked();
    let seen = node.heads();
    node.edit(&staff(2).author, &price(1, 4_600), UnixMs::new(10)).expect("an edit");
    let late = node.edit_upon(&seen, &staff(3).author, &[price(1, 4_900)], UnixMs::new(11));
    assert_eq!(late.map(|made| made.is_ok()), Some(true));
    assert_eq!(node.conflicts().len(), 1);
    let strange = Heads::new([kirana_core::hash::Hash::of(b"never")]);
    let never = node.edit_upon(&strange, &staff(3).author, &[price(1, 1)], UnixMs::new(12));
    assert_eq!(never, None);
}

#[test]
fn p5_the_same_price_set_twice_apart_is_no_clash() {
    let node = stocked();
    let (mut a, mut b) = (node.clone(), node.clone());
    a.edit(&staff(2).author, &price(1, 9_000), UnixMs::new(10)).expect("an edit");
    b.edit(&staff(3).author, &price(1, 9_000), UnixMs::new(20)).expect("an edit");
    a.apply(&b.since(&node.heads())).expect("a chunk");
    assert_eq!(a.conflicts(), []);
}

#[test]
fn a_batch_by_staff_is_admitted_and_the_copies_agree() {
    let node = stocked();
    let asha = staff(2);
    let mut mine = node.clone();
    mine.edit(&asha.author, &price(1, 9_000), UnixMs::new(10)).expect("an edit");
    mine.edit(&asha.author, &put(product(4, "Poha")), UnixMs::new(11)).expect("an edit");
    let bytes = batch(&asha, &mine, &node.heads());
    let admitted = admit(&node, &asha, &bytes).expect("admitted");
    assert_eq!(admitted.heads(), mine.heads());
    assert_eq!(admitted.products(), mine.products());
    let again = admit(&admitted, &asha, &bytes).expect("the same batch again");
    assert_eq!(again.heads(), admitted.heads());
}

#[test]
fn p6_a_batch_by_somebody_else_is_refused() {
    let node = stocked();
    let (asha, thief) = (staff(2), staff(4));
    let mut mine = node.clone();
    mine.edit(&asha.author, &price(1, 1), UnixMs::new(10)).expect("an edit");
    // Asha's changes under the thief's signature.
    let stolen = Staff { key: thief.key.clone(), author: asha.author };
    let bytes = batch(&stolen, &mine, &node.heads());
    assert_eq!(admit(&node, &thief, &bytes).err(), Some(Refused::OtherAuthor));
    let forged = Batch::parse(&bytes).expect("well formed").verify(&asha.key.public());
    assert!(matches!(forged, Err(Refused::Forged(_))));
}

#[test]
fn p6_a_batch_for_another_shop_or_with_a_change_missing_is_refused() {
    let node = stocked();
    let asha = staff(2);
    let mut mine = node.clone();
    mine.edit(&asha.author, &price(1, 1), UnixMs::new(10)).expect("an edit");
    let between = mine.heads();
    mine.edit(&asha.author, &price(2, 1), UnixMs::new(11)).expect("an edit");
    let late = batch(&asha, &mine, &between);
    assert!(matches!(admit(&node, &asha, &late), Err(Refused::Document(_))));
    let other = Bucket::load(shop(), BucketNo::new(2), &node.save()).expect("a bucket");
    let bytes = batch(&asha, &mine, &node.heads());
    assert_eq!(admit(&other, &asha, &bytes).err(), Some(Refused::Elsewhere));
}

#[test]
fn p6_a_batch_that_makes_a_product_unreadable_is_refused() {
    use automerge::{Automerge, ROOT, transaction::Transactable};
    let node = stocked();
    let asha = staff(2);
    let mut raw = Automerge::load(&node.save()).expect("a document");
    raw.set_actor(asha.author.actor());
    let before = raw.get_heads();
    let mut tx = raw.transaction();
    tx.put(ROOT, "not a product", 1_u64).expect("a value");
    tx.commit();
    let mut evil = node.clone();
    // A device whose program checks nothing would send this.
    let _ = evil.apply(&raw.save_after(&before));
    let bytes = batch(&asha, &evil, &node.heads());
    assert!(matches!(admit(&node, &asha, &bytes), Err(Refused::Document(_))));
}

/// A product of which everything is said that can be.
fn complete(n: u8) -> Product {
    let at = |ms| UnixMs::new(ms);
    let mut product = product(n, "Butter");
    product.ingredients = Some("cream, salt".to_owned());
    product.age_min = Some(18);
    product.storage = Some("chilled".to_owned());
    product.hsn = Some("0405".to_owned());
    for variant in product.variants.values_mut() {
        variant.tax_bp = Some(1_200);
        variant.deposit = Some(500);
        variant.max_price = Some(11_000);
        variant.tolerance_bp = 1_000;
        variant.content = Quantity::new(500, Unit::Gram).ok();
        variant.safety = 3;
        variant.planned = [(at(7), Terms { what: rupees(9_000), until: Some(at(9)) })].into();
        variant.deals = [
            (at(1), Terms { what: Deal::XForY { take: 3, pay: 2 }, until: None }),
            (at(2), Terms { what: Deal::Percent { bp: 500 }, until: Some(at(20)) }),
        ]
        .into();
    }
    product
}

#[test]
fn all_that_can_be_said_of_a_product_survives_the_document() {
    let (node, mut bucket) = (staff(1), stocked());
    bucket.edit(&node.author, &put(complete(4)), UnixMs::new(5)).expect("an edit");
    assert_eq!(bucket.product(product_id(4)), Some(complete(4)));
    let again = Bucket::load(shop(), BucketNo::FIRST, &bucket.save()).expect("a bucket");
    assert_eq!(again.product(product_id(4)), Some(complete(4)));
    let bare = product(4, "Butter");
    bucket.edit(&node.author, &put(bare.clone()), UnixMs::new(6)).expect("an edit");
    assert_eq!(bucket.product(product_id(4)), Some(bare), "and all of it can be taken away");
}

#[test]
fn what_does_not_fit_together_is_refused_by_name() {
    let (node, mut bucket) = (staff(1), stocked());
    type Spoil = fn(&mut Product);
    let cases: [(Spoil, ProductError); 7] = [
        (|p| each(p, |v| v.max_price = Some(9_999)), ProductError::AboveLegalMaximum),
        (|p| each(p, |v| v.deposit = Some(10_001)), ProductError::Deposit),
        (|p| each(p, |v| v.tolerance_bp = 5_001), ProductError::Tolerance),
        (
            |p| each(p, |v| v.planned.values_mut().for_each(|t| t.until = Some(UnixMs::new(7)))),
            ProductError::NeverHolds,
        ),
        (|p| each(p, |v| v.unit = Unit::Gram), ProductError::Deal),
        (|p| p.hsn = Some("04-05".to_owned()), ProductError::Hsn),
        (|p| p.age_min = Some(100), ProductError::Age),
    ];
    for (spoil, why) in cases {
        let mut spoilt = complete(4);
        spoil(&mut spoilt);
        let edited = bucket.edit(&node.author, &put(spoilt), UnixMs::new(5));
        let product = product_id(4);
        assert_eq!(edited, Err(EditError::Limits { product, why }));
        assert_eq!(bucket.product(product), None, "nothing of it stays");
    }
}

fn each(product: &mut Product, change: impl FnMut(&mut Variant)) {
    product.variants.values_mut().for_each(change);
}

#[test]
fn p5_a_price_and_a_lower_maximum_set_apart_leave_a_product_that_can_be_read_and_mended() {
    let (node, asha, mut bucket) = (staff(1), staff(2), stocked());
    let known = bucket.heads();
    let mut apart = bucket.clone();
    apart.edit(&asha.author, &price(1, 20_000), UnixMs::new(8)).expect("an edit");
    let mut lower = bucket.product(product_id(1)).expect("rice");
    each(&mut lower, |variant| variant.max_price = Some(10_000));
    bucket.edit(&node.author, &put(lower), UnixMs::new(8)).expect("an edit");
    let merged = admit(&bucket, &asha, &batch(&asha, &apart, &known)).expect("it is admitted");
    let rice = merged.product(product_id(1)).expect("it can be read");
    let variant = &rice.variants[&variant_id(1)];
    assert_eq!(variant.price, Some(rupees(20_000)));
    assert_eq!(variant.price_at(UnixMs::new(9)), Some(rupees(10_000)), "as the law allows");
    let mut mended = merged.clone();
    mended.edit(&node.author, &price(1, 9_000), UnixMs::new(9)).expect("it can be mended");
}
