//! The shelves of the neighbourhood at a running hub: gathered from boxes, searched, handed on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kirana_core::{
    catalogue::{
        BucketNo,
        category::Category,
        document::{Author, Bucket, Heads},
        edit::Edit,
        head::{Extent, Head},
        product::{Language, Product},
    },
    certificate::Standing,
    hash::Hash,
    id::{ProductId, ShopId, VariantId},
    key::{KeyPair, PublicKey},
    money::{Currency, Price},
    quantity::Unit,
    time::{DAY_MS, UnixMs},
};
use kirana_hub::clock;
use kirana_sync::{
    driver::{BoxFuture, Config, Handler, Node, NodeHandle},
    wire::{Chunk, Code, Request, Response},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    program::{Running, send, text},
    shops::{Applied, applied},
    street::{Caller, PATIENCE, Shop, certified, contact, pair, refusal},
};

/// When the shops of these tests were founded: part of their ids.
const FOUNDED: UnixMs = UnixMs::new(1_790_000_000_000);

/// What a box serves.
struct Shelf {
    shop: Shop,
    document: Bucket,
    chunks: Vec<Chunk>,
    /// What it says of categories, if anything.
    index: Option<Chunk>,
    /// Its pictures by the digests that products name, whatever they hold.
    pictures: BTreeMap<Hash, Vec<u8>>,
    signs_with: KeyPair,
}

impl Shelf {
    fn put(&mut self, n: u8, name: &str, minor: i64) {
        self.put_in("Staples", n, name, minor);
    }

    /// Says that it has these categories of its own.
    fn categorise(&mut self, own: &[(&str, &str)]) {
        let mut document = Bucket::new(self.shop.id, BucketNo::INDEX);
        let author = Author { key: self.shop.node.id(), incarnation: 1 };
        for (n, (id, parent)) in (1..).zip(own) {
            let entry = ids(&self.shop, 100 + n).0;
            let mut category = Category::new(entry, id.parse().expect("an id"));
            category.parent = Some(parent.parse().expect("an id"));
            category.names.insert(Language::HINDI, format!("{id} का"));
            let edit = Edit::PutCategory(Box::new(category));
            document.edit(&author, &edit, FOUNDED).expect("a fit category");
        }
        let bytes = document.since(&Heads::default());
        let head = Head {
            shop: self.shop.id,
            generation: 1,
            bucket: BucketNo::INDEX,
            n: 1,
            extent: Extent::Chunk,
            content: Hash::of(&bytes),
            heads: document.heads().hashes(),
            at: FOUNDED,
        };
        let head = head.sign(&self.signs_with.signing).bytes().to_vec();
        self.index = Some(Chunk { head: head.into(), bytes: bytes.into() });
    }

    fn put_in(&mut self, category: &str, n: u8, name: &str, minor: i64) {
        let (product, variant) = ids(&self.shop, n);
        let mut ware = Product::new(product, Language::ENGLISH, name, variant);
        ware.category = Some(category.to_owned());
        ware.image = self.pictures.keys().next().copied();
        let sold = ware.variants.get_mut(&variant).expect("its variant");
        sold.unit = Unit::Gram;
        sold.price = Some(Price { minor, per: 1_000, currency: Currency::INR });
        let number = self.chunks.len() as u64 + 1;
        let author = Author { key: self.shop.node.id(), incarnation: number };
        let before = self.document.heads();
        let edit = Edit::PutProduct(Box::new(ware));
        self.document.edit(&author, &edit, FOUNDED.plus_ms(number)).expect("a fit product");
        let bytes = self.document.since(&before);
        let head = Head {
            shop: self.shop.id,
            generation: 1,
            bucket: BucketNo::FIRST,
            n: number,
            extent: Extent::Chunk,
            content: Hash::of(&bytes),
            heads: self.document.heads().hashes(),
            at: FOUNDED.plus_ms(number),
        };
        let head = head.sign(&self.signs_with.signing).bytes().to_vec();
        self.chunks.push(Chunk { head: head.into(), bytes: bytes.into() });
    }

    fn answer(&self, request: &Request) -> Response {
        match request {
            Request::Heads { .. } => Response::Heads {
                heads: self
                    .chunks
                    .last()
                    .into_iter()
                    .chain(&self.index)
                    .map(|chunk| chunk.head.clone())
                    .collect(),
                certificates: self.shop.chain.clone(),
                availability: Vec::new(),
                terms: None,
                name: None,
            },
            Request::Image { image, .. } => match self.pictures.get(image) {
                Some(jpeg) => Response::Image { jpeg: jpeg.clone().into() },
                None => Response::refused(Code::NotHere, "no such picture"),
            },
            Request::Chunks { bucket: BucketNo::INDEX, .. } => {
                Response::chunks(self.index.iter().cloned())
            }
            Request::Chunks { after, .. } => {
                Response::chunks(self.chunks.iter().skip(*after as usize).cloned())
            }
            _ => Response::refused(Code::NotHere, "this box serves its catalogue"),
        }
    }
}

fn ids(shop: &Shop, n: u8) -> (ProductId, VariantId) {
    let seed = shop.node.id().as_bytes()[0];
    let random = [seed, n, 0, 0, 0, 0, 0, 0, 0, 0];
    (ProductId::new(FOUNDED, random), VariantId::new(FOUNDED, random))
}

/// A shop's box that is in touch with a hub, and tells nobody an address: it stands behind a router.
struct Till {
    shelf: Arc<Mutex<Shelf>>,
    node: NodeHandle,
    applied: Applied,
}

struct Served(Arc<Mutex<Shelf>>);

impl Handler for Served {
    fn answer(&self, _: PublicKey, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move { self.0.lock().expect("whole").answer(&request) })
    }
}

impl Till {
    async fn open(hub: &Running, n: u8, name: &str, place: &str) -> Self {
        let more = json!({ "name": name, "place": place });
        let applied = applied(hub, n, &format!("owner-{n}"), more).await;
        let (_, seen) = send(hub.get(&applied.path)).await;
        let by_hub = URL_SAFE_NO_PAD.decode(text(&seen, "certificate")).expect("base64url");
        let (id, node) = (ShopId::new(FOUNDED, [n; 10]), pair(n + 100));
        let standing = Standing::Node { shop: id, generation: 1 };
        let chain = vec![certified(&pair(n).signing, &node, standing, clock::now()), by_hub.into()];
        let signs_with = node.clone();
        let config = Config::new(node.signing.to_seed());
        let document = Bucket::new(id, BucketNo::FIRST);
        let shop = Shop { id, node, chain };
        let shelf = Shelf {
            shop,
            document,
            chunks: Vec::new(),
            index: None,
            pictures: BTreeMap::new(),
            signs_with,
        };
        let shelf = Arc::new(Mutex::new(shelf));
        let node = Node::spawn(config, Arc::new(Served(shelf.clone()))).await.expect("it starts");
        let address = hub.p2p.parse().expect("a multiaddr");
        node.know(&contact(hub).key, vec![address]).await.expect("it runs");
        Self { shelf, node, applied }
    }

    async fn publish(&self, hub: &Running, number: u64, name: &str, place: &str) {
        self.publish_for(hub, (number, DAY_MS), name, place).await;
    }

    /// Publishes a record with a lease of so many milliseconds.
    async fn publish_for(
        &self,
        hub: &Running,
        (number, lease_ms): (u64, u64),
        name: &str,
        place: &str,
    ) {
        let record = {
            let shelf = self.shelf.lock().expect("whole");
            let mut said = shelf.shop.said(number, vec![contact(hub)], clock::now());
            said.until = clock::now().plus_ms(lease_ms);
            (said.name, said.place) = (name.to_owned(), Some(place.parse().expect("a place")));
            shelf.shop.signed(&said)
        };
        let publish = Request::Publish { record: record.into() };
        let answer = self.node.request(&contact(hub).key, publish, PATIENCE).await;
        assert_eq!(answer.expect("answered"), Response::Published);
    }

    fn put(&self, n: u8, name: &str, minor: i64) {
        self.shelf.lock().expect("whole").put(n, name, minor);
    }
}

/// Looks until the answer is as it should be.
async fn until(hub: &Running, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let (status, page) = send(hub.get(path)).await;
            if status == StatusCode::OK && fits(&page) {
                return page;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it is gathered")
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().expect("items").iter().map(|item| text(item, "name")).collect()
}

const HERE: &str = "12.9716,77.5946";
/// About 1.1 km north of it.
const NEAR: &str = "12.9816,77.5946";
/// Another town.
const AWAY: &str = "13.9716,77.5946";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_shelf_is_searched_and_had_at_the_hub_while_the_shop_is_dark() {
    let hub = Running::start(&["--auto-approve"]);
    let corner = Till::open(&hub, 20, "Corner", HERE).await;
    corner.put(1, "Sona Masoori rice", 6_800);
    corner.publish(&hub, 1, "Corner", HERE).await;
    let page = until(&hub, "/v1/products?q=rice", |page| !names(page).is_empty()).await;
    let item = &page["items"][0];
    assert_eq!((text(item, "name"), text(&item["shop"], "name")), ("Sona Masoori rice", "Corner"));
    assert_eq!(item["price"]["minor"], 6_800);
    assert!(item["as_of"].is_string(), "its age is told");

    // A price changes; the shop says so by its next record.
    corner.put(1, "Sona Masoori rice", 7_000);
    corner.publish(&hub, 2, "Corner", HERE).await;
    until(&hub, "/v1/products?q=rice", |page| page["items"][0]["price"]["minor"] == 7_000).await;
    let (shop, said, product) = {
        let shelf = corner.shelf.lock().expect("whole");
        (shelf.shop.id, shelf.chunks.clone(), ids(&shelf.shop, 1).0)
    };
    corner.node.shutdown().await;

    // A household that never met the shop's box gets every byte that the box had signed.
    let meena = Caller::reaching(&pair(3), &[&hub]).await;
    let Response::Heads { heads, certificates, .. } =
        meena.ask(&hub, Request::Heads { shop, seen: None }).await
    else {
        panic!("no heads");
    };
    assert_eq!((heads.len(), &heads[0], certificates.len()), (1, &said[1].head, 2));
    let bucket = BucketNo::FIRST;
    let after = |after| Request::Chunks { shop, bucket, generation: 1, after };
    let Response::Chunks { chunks, .. } = meena.ask(&hub, after(0)).await else {
        panic!("no chunks");
    };
    assert_eq!(chunks, said);
    let stranger = Request::Heads { shop: ShopId::new(FOUNDED, [9; 10]), seen: None };
    assert_eq!(refusal(meena.ask(&hub, stranger).await), Code::NotHere);

    // It is all there after a start, and gone when the shop closes down.
    let hub = Running::start_in(hub.stop(), &["--auto-approve"]);
    let (status, one) = send(hub.get(&format!("/v1/products/{product}"))).await;
    assert_eq!((status, &one["price"]["minor"]), (StatusCode::OK, &json!(7_000)));
    let token = text(&hub.sign_in("owner-20").await, "access_token").to_owned();
    let closing = hub.post(&format!("{}/closing", corner.applied.path), &json!({}));
    assert_eq!(send(closing.bearer_auth(&token)).await.0, StatusCode::OK);
    until(&hub, "/v1/products", |page| names(page).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shelves_are_searched_by_shop_by_distance_and_page_by_page() {
    let hub = Running::start(&["--auto-approve"]);
    let mut boxes = Vec::new();
    for (n, name, place, rice, dal) in [
        (20, "Near", NEAR, 6_000, 9_000),
        (22, "Here", HERE, 7_000, 8_000),
        (24, "Away", AWAY, 5_000, 4_000),
    ] {
        let shop = Till::open(&hub, n, name, place).await;
        shop.put(1, &format!("Rice of {name}"), rice);
        shop.put(2, &format!("Dal of {name}"), dal);
        shop.publish(&hub, 1, name, place).await;
        boxes.push(shop);
    }
    until(&hub, "/v1/products", |page| names(page).len() == 6).await;

    let (_, cheap) = send(hub.get("/v1/products?q=rice&sort=price&facets=true")).await;
    assert_eq!(names(&cheap), ["Rice of Away", "Rice of Near", "Rice of Here"]);
    assert_eq!(cheap["facets"]["shops"].as_array().map(Vec::len), Some(3), "{cheap}");
    assert_eq!(cheap["facets"]["categories"]["Staples"], 3);
    let (_, around) = send(hub.get(&format!("/v1/products?q=rice&near={HERE}&sort=price"))).await;
    assert_eq!(names(&around), ["Rice of Near", "Rice of Here"], "five kilometres around");

    // One after another, the nearest first, and none twice or left out.
    let path = format!("/v1/products?near={HERE}&sort=distance&limit=1");
    let (mut cursor, mut seen, mut far) = (String::new(), Vec::new(), Vec::new());
    loop {
        let (status, page) = send(hub.get(&format!("{path}{cursor}"))).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert_eq!(page["found"], json!({ "count": 4, "more": false }));
        seen.extend(page["items"].as_array().expect("items").clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for item in &seen {
        far.push((text(&item["shop"], "name"), item["distance_m"].as_u64().expect("metres")));
    }
    assert_eq!(far.iter().map(|one| one.0).collect::<Vec<_>>(), ["Here", "Here", "Near", "Near"]);
    assert_eq!((far[0].1, (1_000..1_200).contains(&far[2].1)), (0, true), "{far:?}");

    let here = &boxes[1].applied.path;
    let (_, own) = send(hub.get(&format!("{here}/products?sort=price"))).await;
    assert_eq!(names(&own), ["Rice of Here", "Dal of Here"]);
    let unknown = format!("/v1/shops/{}/products", ShopId::new(FOUNDED, [9; 10]));
    for (path, status) in [
        (unknown.as_str(), StatusCode::NOT_FOUND),
        ("/v1/products/01890000-0000-7000-8000-000000000001", StatusCode::NOT_FOUND),
        ("/v1/products?sort=distance", StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/products?cursor=r0", StatusCode::NOT_FOUND),
        ("/v1/products?sort=price&cursor=r0-0-1", StatusCode::NOT_FOUND),
        ("/v1/products?near=91,0", StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/products?q=%00", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(send(hub.get(path)).await.0, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_shop_that_was_not_heard_of_for_long_keeps_its_place_on_the_shelf() {
    let hub = Running::start(&["--auto-approve"]);
    let dark = Till::open(&hub, 20, "Dark", HERE).await;
    dark.put(1, "Rice", 6_800);
    dark.publish(&hub, 1, "Dark", HERE).await;
    until(&hub, "/v1/products", |page| names(page) == ["Rice"]).await;
    dark.publish_for(&hub, (2, 2_000), "Dark", HERE).await;
    let shop = dark.shelf.lock().expect("whole").shop.id;
    dark.node.shutdown().await;
    let meena = Caller::reaching(&pair(3), &[&hub]).await;
    let ended = async {
        loop {
            let answer = meena.ask(&hub, Request::Look { shop }).await;
            if answer == (Response::Records { records: Vec::new() }) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ended).await.expect("its lease ends");

    // Another shop is gathered after a start, so the hub has looked whose catalogues stay.
    let hub = Running::start_in(hub.stop(), &["--auto-approve"]);
    let new = Till::open(&hub, 22, "New", HERE).await;
    new.put(1, "Wheat", 4_000);
    new.publish(&hub, 1, "New", HERE).await;
    until(&hub, "/v1/products?q=wheat", |page| !names(page).is_empty()).await;
    let (_, page) = send(hub.get("/v1/products?q=rice")).await;
    assert_eq!(names(&page), ["Rice"]);
    let meena = Caller::reaching(&pair(3), &[&hub]).await;
    let heads = meena.ask(&hub, Request::Heads { shop, seen: None }).await;
    assert!(matches!(heads, Response::Heads { heads, .. } if heads.len() == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_what_a_box_did_not_sign_is_on_no_shelf() {
    let hub = Running::start(&["--auto-approve"]);
    let (honest, forged) =
        (Till::open(&hub, 20, "Honest", HERE).await, Till::open(&hub, 22, "Forged", HERE).await);
    forged.shelf.lock().expect("whole").signs_with = pair(99);
    forged.put(1, "Poison", 1);
    forged.publish(&hub, 1, "Forged", HERE).await;
    honest.put(1, "Rice", 6_800);
    honest.publish(&hub, 1, "Honest", HERE).await;
    until(&hub, "/v1/products", |page| names(page) == ["Rice"]).await;
    // The forger was asked, and what it served came to nothing.
    let pulled = async {
        loop {
            let metrics = hub.get("/metrics").send().await.expect("an answer");
            let metrics = metrics.text().await.expect("text");
            let refused = "catalogues_pulled_total{outcome=\"refused\"}";
            if metrics.contains(refused) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, pulled).await.expect("the forger is asked");
    let (_, page) = send(hub.get("/v1/products")).await;
    assert_eq!(names(&page), ["Rice"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_categories_of_two_shops_are_one_tree_and_own_ones_carry_their_shops() {
    let hub = Running::start(&["--auto-approve"]);
    let (here, near) =
        (Till::open(&hub, 20, "Here", HERE).await, Till::open(&hub, 22, "Near", NEAR).await);
    let mut shops = Vec::new();
    for (till, own) in [(&here, "sweets/barfi"), (&near, "sweets/village")] {
        let mut shelf = till.shelf.lock().expect("whole");
        shelf.categorise(&[(own, "sweets/mithai"), ("sweets/both", "sweets")]);
        shelf.put_in(own, 1, "Barfi", 5_000);
        shelf.put_in("sweets/both", 2, "Peda", 5_000);
        shelf.put_in("Staples", 3, "Rice", 5_000);
        shops.push(json!(shelf.shop.id));
    }
    here.publish(&hub, 1, "Here", HERE).await;
    near.publish(&hub, 1, "Near", NEAR).await;
    until(&hub, "/v1/products", |page| names(page).len() == 6).await;
    let of = |all: &Value, id: &str| {
        let items = all["items"].as_array().expect("a list").clone();
        items.into_iter().find(|item| item["id"] == id).unwrap_or(Value::Null)
    };
    let fits = |all: &Value| of(all, "sweets")["products"] == 4;
    let all = until(&hub, "/v1/categories?language=hi", fits).await;
    let barfi = of(&all, "sweets/barfi");
    assert_eq!((&barfi["shops"], &barfi["parent"]), (&json!([shops[0]]), &json!("sweets/mithai")));
    assert_eq!((text(&barfi, "name"), &barfi["products"]), ("sweets/barfi का", &json!(1)));
    let both = of(&all, "sweets/both");
    assert_eq!((both["shops"].as_array().map(Vec::len), &both["products"]), (Some(2), &json!(2)));
    assert_eq!(of(&all, "sweets/mithai")["products"], 2, "one of each shop");
    assert_eq!(
        (text(&of(&all, "dairy/milk"), "name"), &of(&all, "Staples")["products"]),
        ("दूध", &json!(2))
    );
    let (_, page) = send(hub.get("/v1/products?category=sweets/mithai&facets=true")).await;
    assert_eq!(names(&page), ["Barfi", "Barfi"]);
    let counts = json!({ "sweets": 2, "sweets/mithai": 2, "sweets/barfi": 1, "sweets/village": 1 });
    assert_eq!(page["facets"]["categories"], counts);
    for path in ["/v1/categories?language=Hindi", "/v1/categories?language="] {
        assert_eq!(send(hub.get(path)).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
}

/// Bytes that begin as every JPEG does.
fn jpeg(n: u8, len: usize) -> Vec<u8> {
    [&[0xFF, 0xD8, 0xFF, n][..], &vec![n; len]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_picture_is_fetched_once_and_handed_on_while_its_shop_is_dark() {
    let hub = Running::start(&["--auto-approve"]);
    let corner = Till::open(&hub, 20, "Corner", HERE).await;
    let bytes = jpeg(1, 90_000);
    let digest = Hash::of(&bytes);
    {
        let mut shelf = corner.shelf.lock().expect("whole");
        shelf.pictures.insert(digest, bytes.clone());
        shelf.put(1, "Rice", 6_800);
    }
    corner.publish(&hub, 1, "Corner", HERE).await;
    until(&hub, "/v1/products", |page| names(page) == ["Rice"]).await;
    let path = format!("/v1/images/{digest}");
    for is_dark in [false, true] {
        if is_dark {
            corner.node.shutdown().await;
        }
        let answer = hub.get(&path).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers().clone();
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("etag", &format!("\"{digest}\"")),
        ] {
            assert_eq!(headers[name], value);
        }
        assert_eq!(answer.bytes().await.expect("bytes"), bytes);
    }
    let known = hub.get(&path).header("if-none-match", format!("\"{digest}\""));
    assert_eq!(known.send().await.expect("an answer").status(), StatusCode::NOT_MODIFIED);
    // A household that reaches only the hub has it too.
    let shop = corner.shelf.lock().expect("whole").shop.id;
    let meena = Caller::reaching(&pair(3), &[&hub]).await;
    let answer = meena.ask(&hub, Request::Image { shop, image: digest }).await;
    assert_eq!(answer, Response::Image { jpeg: bytes.into() });
    let none = Request::Image { shop, image: Hash::of(b"of no product") };
    assert_eq!(refusal(meena.ask(&hub, none).await), Code::NotHere);
    let hub = Running::start_in(hub.stop(), &["--auto-approve"]);
    assert_eq!(send(hub.get(&path)).await.0, StatusCode::OK, "it is there after a start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_what_is_not_the_picture_that_a_product_names_is_not_handed_on() {
    let hub = Running::start(&["--auto-approve"]);
    let mut digests = Vec::new();
    let good = jpeg(1, 999);
    let page = b"<script>alert(1)</script>".to_vec();
    let mut boxes = Vec::new();
    for (n, digest, served) in [
        (20, Hash::of(&good), jpeg(2, 999)),
        (22, Hash::of(&jpeg(3, 200_000)), jpeg(3, 200_000)),
        (24, Hash::of(&page), page.clone()),
        (26, Hash::of(&jpeg(4, 9)), jpeg(4, 9)[..8].to_vec()),
    ] {
        let name = format!("Liar {n}");
        let till = Till::open(&hub, n, &name, HERE).await;
        {
            let mut shelf = till.shelf.lock().expect("whole");
            shelf.pictures.insert(digest, served);
            shelf.put(1, &format!("Rice {n}"), 6_800);
        }
        till.publish(&hub, 1, &name, HERE).await;
        digests.push(digest);
        boxes.push(till);
    }
    until(&hub, "/v1/products", |page| names(page).len() == 4).await;
    for digest in &digests {
        let (status, problem) = send(hub.get(&format!("/v1/images/{digest}"))).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    }
    let other = Hash::of(b"of no product");
    assert_eq!(send(hub.get(&format!("/v1/images/{other}"))).await.0, StatusCode::NOT_FOUND);
    for path in ["/v1/images/x", "/v1/images/%3Cscript%3E"] {
        assert!(send(hub.get(path)).await.0.is_client_error(), "{path}");
    }
    // Once the shop gives the right one, it is there.
    boxes[0].shelf.lock().expect("whole").pictures.insert(digests[0], good);
    let path = format!("/v1/images/{}", digests[0]);
    assert_eq!(hub.get(&path).send().await.expect("an answer").status(), StatusCode::OK);
}
