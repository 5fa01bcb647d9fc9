//! Catalogues in SQL: what is stored can be read back, and what is there can be found.

use kirana_core::{
    catalogue::{
        BucketNo,
        document::{Author, Bucket, Heads},
        edit::Edit,
        head::{Extent, Head, SignedHead},
        product::{Language, Product},
    },
    hash::Hash,
    id::{ProductId, ShopId, VariantId},
    key::SigningKey,
    time::UnixMs,
};
use kirana_migrations::{
    Abort, Database, Location, Schema, StoreError,
    catalogue::{
        self, Filter, Shelved,
        chunks::{self, CHUNKS_AFTER_BASE_MAX, CHUNKS_KEPT_MAX},
        place::Place,
        projection,
        question::Question,
        search::{Page, Query, search},
    },
};

pub fn shop() -> ShopId {
    ShopId::new(UnixMs::new(1), [9; 10])
}

pub fn product(n: u16, name: &str) -> Product {
    let [high, low] = n.to_be_bytes();
    let random = [high, low, 0, 0, 0, 0, 0, 0, 0, 1];
    let id = ProductId::new(UnixMs::new(1), random);
    Product::new(id, Language::ENGLISH, name, VariantId::new(UnixMs::new(1), random))
}

pub fn database() -> Database {
    Database::open(Schema::Customer, Location::Memory).expect("it opens")
}

pub fn put(database: &Database, products: Vec<Product>) {
    let written = database.writer.write(move |tx| -> Result<(), Abort<()>> {
        for product in &products {
            projection::put(tx, shop(), BucketNo::FIRST, product)?;
        }
        Ok(())
    });
    written.expect("rows");
}

pub fn typed(question: &str) -> Question {
    question.parse().expect("a question")
}

pub fn ask(database: &Database, query: &Query) -> Page {
    database.reader.read(|c| search(c, query)).expect("a page")
}

pub fn shelved(database: &Database, page: &Page) -> Vec<Shelved> {
    let read = |row: &i64| database.reader.read(|c| catalogue::shelved_at(c, *row));
    page.rows.iter().map(read).collect::<Result<_, StoreError>>().expect("products")
}

fn find(database: &Database, question: &str) -> Vec<String> {
    let page = ask(database, &Query { question: typed(question), limit: 100, ..Query::default() });
    let found = shelved(database, &page).into_iter();
    found.map(|item| item.product.name(Language::ENGLISH).to_owned()).collect()
}

#[test]
fn products_are_found_by_words_in_any_order_and_by_their_beginnings() {
    let database = database();
    let mut rice = product(1, "Basmati Rice, extra long");
    rice.names.insert(Language::HINDI, "बासमती चावल".to_owned());
    rice.synonyms.insert("chawal".to_owned());
    put(&database, vec![rice, product(2, "Crème fraîche"), product(3, "Rice flour")]);
    assert_eq!(find(&database, "long bas"), ["Basmati Rice, extra long"]);
    assert_eq!(find(&database, "CHAW"), ["Basmati Rice, extra long"]);
    // Everyday words in the other language find it too; the shortest name comes first.
    assert_eq!(find(&database, "चावल"), ["Rice flour", "Basmati Rice, extra long"]);
    assert_eq!(find(&database, "creme fraiche"), ["Crème fraîche"]);
    assert_eq!(find(&database, "rice").len(), 2);
    assert_eq!(find(&database, "rice bread").len(), 0);
    assert_eq!(find(&database, "").len(), 3);
    assert_eq!(find(&database, "…").len(), 0);
}

#[test]
fn a_barcode_finds_its_product_in_any_of_its_lengths() {
    let database = database();
    let mut can = product(1, "Cola");
    let gtin = "036000291452".parse().expect("a barcode");
    can.variants.values_mut().for_each(|variant| variant.gtin = Some(gtin));
    put(&database, vec![can, product(2, "036 cola copy")]);
    for text in ["036000291452", "0036000291452", "00036000291452"] {
        assert_eq!(find(&database, text), ["Cola"]);
    }
}

#[test]
fn what_is_in_stock_comes_first() {
    let database = database();
    let (first, second) = (product(1, "Dal"), product(2, "Dal"));
    let variant = *second.variants.keys().next().expect("a variant");
    put(&database, vec![first.clone(), second.clone()]);
    let written = database.writer.write(move |tx| -> Result<(), Abort<()>> {
        Ok(projection::set_in_stock(tx, shop(), variant, true)?)
    });
    written.expect("a mark");
    let page = ask(&database, &Query { question: typed("dal"), limit: 10, ..Query::default() });
    let found = shelved(&database, &page).into_iter();
    let ids: Vec<_> = found.map(|item| (item.product.id, item.in_stock)).collect();
    assert_eq!(ids, [(second.id, true), (first.id, false)]);
}

#[test]
fn pages_of_any_length_show_every_item_once() {
    let database = database();
    let all = (0..57).map(|n| {
        let mut product = product(n, if n % 2 == 0 { "Rice" } else { "Brown rice from hills" });
        product.counted = n % 3 != 0;
        product
    });
    put(&database, all.collect());
    for (question, limit) in [("rice", 1), ("rice", 10), ("", 7), ("", 100), ("rice", 57)] {
        let mut seen = std::collections::BTreeSet::new();
        let (mut after, mut count): (Option<Place>, _) = (None, 0);
        loop {
            let filter = Filter { shop: Some(shop()), ..Filter::default() };
            let question = typed(question);
            let page =
                ask(&database, &Query { question, filter, limit, after, ..Query::default() });
            count += page.rows.len();
            seen.extend(page.rows.iter().copied());
            let Some(next) = page.next else { break };
            let text = next.to_string();
            after = Some(text.parse().expect("its own cursor"));
            assert_eq!(after, Some(next));
        }
        assert_eq!((count, seen.len()), (57, 57), "{question} by {limit}");
    }
}

#[test]
fn a_delisted_product_is_found_no_more_but_can_be_looked_up() {
    let database = database();
    let mut poha = product(1, "Poha");
    put(&database, vec![poha.clone()]);
    poha.delisted = true;
    put(&database, vec![poha.clone()]);
    assert_eq!(find(&database, "poha").len() + find(&database, "").len(), 0);
    let kept = database.reader.read(|c| catalogue::product(c, shop(), poha.id)).expect("a row");
    assert_eq!(kept.map(|shelved| shelved.product), Some(poha));
}

struct Node {
    key: SigningKey,
    author: Author,
    document: Bucket,
    n: u64,
}

impl Node {
    fn new() -> Self {
        let key = SigningKey::from_seed([3; 32]);
        let author = Author { key: key.id(), incarnation: 1 };
        Self { key, author, document: Bucket::new(shop(), BucketNo::FIRST), n: 0 }
    }

    fn head(&self, extent: Extent, content: &[u8]) -> SignedHead {
        let head = Head {
            shop: shop(),
            generation: 1,
            bucket: BucketNo::FIRST,
            n: self.n,
            extent,
            content: Hash::of(content),
            heads: self.document.heads().hashes(),
            at: UnixMs::new(self.n),
        };
        head.sign(&self.key)
    }

    fn put(&mut self, product: Product) -> (SignedHead, Vec<u8>, ProductId) {
        let (id, before) = (product.id, self.document.heads());
        let edit = Edit::PutProduct(Box::new(product));
        self.document.edit(&self.author, &edit, UnixMs::new(self.n)).expect("an edit");
        self.n += 1;
        let chunk = self.document.since(&before);
        (self.head(Extent::Chunk, &chunk), chunk, id)
    }
}

fn store(database: &Database, node: &Node, head: SignedHead, bytes: Vec<u8>, id: ProductId) {
    let document = node.document.clone();
    let written = database.writer.write(move |tx| -> Result<(), Abort<()>> {
        Ok(chunks::store(tx, &head, &bytes, &document, [&id])?)
    });
    written.expect("a chunk");
}

#[test]
fn a_document_is_read_back_from_its_base_and_the_chunks_after_it() {
    let (database, mut node) = (database(), Node::new());
    for n in 0..CHUNKS_AFTER_BASE_MAX + 10 {
        let (head, bytes, id) =
            node.put(product(u16::try_from(n % 7).expect("small"), &format!("Rice {n}")));
        store(&database, &node, head, bytes, id);
    }
    let (read, n) = database.reader.read(|c| chunks::load(c, shop(), BucketNo::FIRST)).expect("it");
    assert_eq!((read.heads(), n), (node.document.heads(), node.n));
    assert_eq!(read.products(), node.document.products());
    assert_eq!(find(&database, "rice").len(), 7);
    let chunks = database.reader.read(|c| chunks::after(c, shop(), BucketNo::FIRST, 70, 100));
    let numbers: Vec<_> = chunks.expect("read").expect("kept").iter().map(|c| c.n).collect();
    assert_eq!(numbers, [71, 72, 73, 74]);
}

#[test]
fn who_is_too_far_behind_has_to_take_a_snapshot() {
    let (database, mut node) = (database(), Node::new());
    for n in 0..CHUNKS_KEPT_MAX + 2 * CHUNKS_AFTER_BASE_MAX {
        let (head, bytes, id) = node.put(product(1, &format!("Rice {n}")));
        store(&database, &node, head, bytes, id);
    }
    let after = |n| database.reader.read(|c| chunks::after(c, shop(), BucketNo::FIRST, n, 10));
    assert_eq!(after(0).expect("read"), None);
    assert_eq!(after(node.n).expect("read"), Some(vec![]));
    assert_eq!(after(node.n - 3).expect("read").map(|chunks| chunks.len()), Some(3));
}

#[test]
fn a_snapshot_takes_the_place_of_everything_before() {
    let (database, mut node) = (database(), Node::new());
    let (head, bytes, id) = node.put(product(1, "Old rice"));
    store(&database, &node, head, bytes, id);
    let mut fresh = Node::new();
    fresh.put(product(2, "New rice"));
    fresh.n = 9;
    let snapshot = fresh.document.save();
    let head = fresh.head(Extent::Snapshot, &snapshot);
    store(&database, &fresh, head, snapshot, product(2, "").id);
    assert_eq!(find(&database, "rice"), ["New rice"]);
    let (read, n) = database.reader.read(|c| chunks::load(c, shop(), BucketNo::FIRST)).expect("it");
    assert_eq!((read.heads(), n), (fresh.document.heads(), 9));
    let mut next = fresh;
    next.document = read;
    let heads: Heads = next.document.heads();
    let (head, bytes, id) = next.put(product(3, "More rice"));
    assert_ne!(next.document.heads(), heads);
    store(&database, &next, head, bytes, id);
    assert_eq!(find(&database, "rice").len(), 2);
    let forgotten =
        database.writer.write(|tx| -> Result<(), Abort<()>> { Ok(chunks::forget(tx, shop())?) });
    forgotten.expect("it is forgotten");
    assert_eq!(find(&database, "rice").len(), 0);
    let left = database.reader.read(|c| -> Result<i64, StoreError> {
        Ok(c.query_row("SELECT count(*) FROM catalogue_base", [], |row| row.get(0))?)
    });
    assert_eq!(left.expect("a count"), 0);
}
