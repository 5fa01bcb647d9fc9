//! Pictures of products at a household: fetched once, checked, kept within their room, shown offline.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use kirana_core::{
    catalogue::{
        BucketNo,
        document::{Author, Bucket, Heads},
        edit::Edit,
        head::{Extent, Head},
        product::{Language, Product},
    },
    hash::Hash,
    household::{Item, usual_cart},
    id::{ProductId, VariantId},
    key::{KeyPair, PublicKey},
    quantity::{Quantity, Unit},
};
use kirana_customer::{
    app::{Household, carriers::Carrier, shop::Introduced},
    home::Home,
    net::{pictures::fetch, round},
};
use kirana_migrations::catalogue::pictures::{NotThePicture, Picture};
use kirana_sync::{
    driver::{BoxFuture, Config, Handler, Node, NodeHandle},
    pull::Load,
    wire::{Code, Request, Response},
};

use crate::{
    neighbour::{NOW, Neighbour, household, rng},
    program::{json, kirana},
};

fn jpeg(n: u8, len: usize) -> Vec<u8> {
    [&[0xFF, 0xD8, 0xFF, n][..], &vec![n; len]].concat()
}

/// What a shop says of its only product, which looks like this.
fn said(shop: &Neighbour, image: Hash) -> Load {
    let (id, variant) = (ProductId::new(NOW, [1; 10]), VariantId::new(NOW, [2; 10]));
    let mut ware = Product::new(id, Language::ENGLISH, "Rice", variant);
    ware.image = Some(image);
    let mut document = Bucket::new(shop.id, BucketNo::FIRST);
    let author = Author { key: shop.node.id(), incarnation: 1 };
    document.edit(&author, &Edit::PutProduct(Box::new(ware)), NOW).unwrap();
    let bytes = document.since(&Heads::default());
    let head = Head {
        shop: shop.id,
        generation: shop.generation,
        bucket: BucketNo::FIRST,
        n: 1,
        extent: Extent::Chunk,
        content: Hash::of(&bytes),
        heads: document.heads().hashes(),
        at: NOW,
    };
    Load { head: head.sign(&shop.node.signing), bytes }
}

/// Somebody who answers every question for a picture with these bytes, and counts them.
struct Album {
    jpeg: Mutex<Vec<u8>>,
    asked: AtomicUsize,
}

impl Handler for Album {
    fn answer(&self, _: PublicKey, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move {
            match request {
                Request::Image { .. } => {
                    self.asked.fetch_add(1, Ordering::SeqCst);
                    Response::Image { jpeg: self.jpeg.lock().unwrap().clone().into() }
                }
                _ => Response::refused(Code::NotHere, "an album has pictures"),
            }
        })
    }
}

/// An album that listens on this machine, and its address.
async fn album(keys: &KeyPair, jpeg: Vec<u8>) -> (Arc<Album>, NodeHandle, String) {
    let album = Arc::new(Album { jpeg: Mutex::new(jpeg), asked: AtomicUsize::new(0) });
    let mut config = Config::new(keys.signing.to_seed());
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    let node = Node::spawn(config, album.clone()).await.unwrap();
    let address = node.addresses()[0].to_string();
    (album, node, address)
}

/// A household whose shop, at this address if any, has one product that looks like this.
fn beside(shop: &Neighbour, address: Option<String>, image: Hash) -> Household {
    let meena = household(1);
    let introduced = Introduced {
        name: "Asha General Store".to_owned(),
        certificates: shop.certificates(),
        addresses: address.into_iter().collect(),
        hubs: Vec::new(),
    };
    meena.choose_shop(introduced, NOW).unwrap();
    assert!(meena.save_catalogue(&said(shop, image)).unwrap());
    meena
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_picture_that_was_fetched_once_is_shown_without_a_network() {
    let (shop, bytes) = (Neighbour::new(), jpeg(1, 150_000));
    let (album, node, address) = album(&shop.node, bytes.clone()).await;
    let image = Hash::of(&bytes);
    let meena = beside(&shop, Some(address), image);
    assert_eq!(meena.picture(image, NOW).unwrap(), None);
    assert_eq!(meena.picture_of(ProductId::new(NOW, [1; 10])).unwrap(), Some(image));
    let fetched = fetch(&meena, image).await.unwrap();
    assert_eq!((fetched.picture.unwrap().into_jpeg(), fetched.notes), (bytes.clone(), Vec::new()));
    node.shutdown().await;
    assert_eq!(meena.picture(image, NOW).unwrap().unwrap().jpeg(), bytes);
    assert!(meena.has_picture(image).unwrap());
    assert_eq!(album.asked.load(Ordering::SeqCst), 1);
    // What no product names is asked of nobody.
    let other = fetch(&meena, Hash::of(b"of no product")).await.unwrap();
    assert_eq!((other.picture, other.notes), (None, Vec::new()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_what_a_lying_hub_gives_for_a_picture_is_not_kept_and_is_said() {
    let (shop, bytes) = (Neighbour::new(), jpeg(1, 9_000));
    let (album, node, address) = album(&KeyPair::from_seed([99; 64]), jpeg(2, 9_000)).await;
    let image = Hash::of(&bytes);
    let meena = beside(&shop, None, image);
    meena.add_carrier(Carrier { address, community: true }).unwrap();
    for (served, why) in [
        (jpeg(2, 9_000), "another digest"),
        (bytes[..8_999].to_vec(), "another digest"),
        (Vec::new(), "another digest"),
        (jpeg(1, 200_000), "200000"),
    ] {
        *album.jpeg.lock().unwrap() = served;
        let fetched = fetch(&meena, image).await.unwrap();
        assert_eq!(fetched.picture, None);
        assert_eq!(fetched.notes.len(), 1, "{why}: {:?}", fetched.notes);
        assert!(why == "200000" || fetched.notes[0].contains(why), "{:?}", fetched.notes);
        assert!(!meena.has_picture(image).unwrap());
    }
    *album.jpeg.lock().unwrap() = bytes;
    assert!(fetch(&meena, image).await.unwrap().picture.is_some(), "a hub may hand it on");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_of_what_stands_in_a_cart_are_fetched_ahead() {
    let (shop, bytes) = (Neighbour::new(), jpeg(1, 9_000));
    let (album, node, address) = album(&shop.node, bytes.clone()).await;
    let image = Hash::of(&bytes);
    let meena = beside(&shop, Some(address), image);
    assert!(meena.pictures_wanted().unwrap().is_empty());
    let item = Item {
        shop: shop.id,
        product: ProductId::new(NOW, [1; 10]),
        variant: VariantId::new(NOW, [2; 10]),
    };
    let one = Quantity::new(1, Unit::Piece).unwrap();
    meena.edit_document(&mut rng(4), move |d| d.add(usual_cart(), item, one, NOW)).unwrap();
    assert_eq!(
        meena.pictures_wanted().unwrap().into_iter().collect::<Vec<_>>(),
        [(shop.id, image)]
    );
    let targets = round::targets(&meena, None).unwrap();
    round::go(&meena, targets, round::Length::Once).await.unwrap();
    assert!(meena.has_picture(image).unwrap());
    assert!(meena.pictures_wanted().unwrap().is_empty());
    assert_eq!(album.asked.load(Ordering::SeqCst), 1);
    node.shutdown().await;
}

#[test]
fn what_nobody_looked_at_for_longest_makes_room() {
    let meena = household(1);
    let picture = |n: u8| {
        let bytes = jpeg(n, 99_996);
        Picture::check(Hash::of(&bytes), bytes).unwrap()
    };
    let minutes = |n: u64| NOW.plus_ms(n * 61_000);
    meena.set_pictures_bytes_max(300_000).unwrap();
    for n in 1..=3 {
        meena.keep_picture(picture(n), minutes(n.into())).unwrap();
    }
    assert_eq!(meena.pictures_held().unwrap(), (3, 300_000));
    assert!(meena.picture(picture(1).hash(), minutes(4)).unwrap().is_some(), "it is looked at");
    meena.keep_picture(picture(4), minutes(5)).unwrap();
    assert_eq!(meena.pictures_held().unwrap(), (3, 300_000), "never more than its room");
    let kept = [1, 2, 3, 4].map(|n| meena.has_picture(picture(n).hash()).unwrap());
    assert_eq!(kept, [true, false, true, true]);
    meena.set_pictures_bytes_max(100_000).unwrap();
    assert_eq!(meena.pictures_held().unwrap(), (1, 100_000));
    assert!(meena.has_picture(picture(4).hash()).unwrap());
    meena.set_pictures_bytes_max(0).unwrap();
    assert_eq!(meena.pictures_held().unwrap(), (0, 0));
    assert_eq!(household(2).pictures_bytes_max().unwrap(), 64 * 1024 * 1024);
}

#[test]
fn only_bytes_of_the_digest_that_begin_as_a_jpeg_are_a_picture() {
    let longest = jpeg(1, 199_996);
    assert!(Picture::check(Hash::of(&longest), longest.clone()).is_ok());
    let longer = jpeg(1, 199_997);
    let one_past = Picture::check(Hash::of(&longer), longer);
    assert_eq!(one_past, Err(NotThePicture::TooLong(200_001)));
    let page = b"<script>alert(1)</script>".to_vec();
    let hash = Hash::of(&page);
    assert_eq!(Picture::check(hash, page), Err(NotThePicture::NoPicture(hash)));
    assert_eq!(Picture::check(hash, longest), Err(NotThePicture::OtherBytes(hash)));
}

#[test]
fn a_picture_that_is_damaged_on_the_disk_counts_as_not_there() {
    let meena = household(1);
    let bytes = jpeg(1, 999);
    let image = Hash::of(&bytes);
    meena.keep_picture(Picture::check(image, bytes).unwrap(), NOW).unwrap();
    crate::verify::flip(&meena, "kept_picture", "jpeg", "1 = 1");
    assert_eq!(meena.picture(image, NOW).unwrap(), None);
}

#[test]
fn p3_the_command_line_writes_a_kept_picture_into_a_file_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let done = kirana(folder.path(), &[&["--json"], words].concat());
        let said = if done.status.success() { &done.stdout } else { &done.stderr };
        (done.status.code(), json(said))
    };
    assert_eq!(run(&["init", "--name", "Meena"]).0, Some(0));
    let (home, shop, bytes) = (Home::at(folder.path()), Neighbour::new(), jpeg(1, 999));
    let image = Hash::of(&bytes);
    let meena = Household::open(home.database().unwrap(), home.keys(None).unwrap()).unwrap();
    shop.introduce_to(&meena);
    assert!(meena.save_catalogue(&said(&shop, image)).unwrap());
    let (code, refused) = run(&["picture", &image.to_string(), "--offline"]);
    assert_eq!((code, &refused["type"]), (Some(1), &"urn:kirana:problem:no-picture".into()));
    assert_eq!(run(&["search", "rice"]).1["items"][0]["image_kept"], false);
    meena.keep_picture(Picture::check(image, bytes.clone()).unwrap(), NOW).unwrap();
    let found = run(&["search", "rice"]).1;
    let item = &found["items"][0];
    assert_eq!((&item["image"], &item["image_kept"]), (&image.to_string().into(), &true.into()));
    let file = folder.path().join("rice.jpg");
    let product = ProductId::new(NOW, [1; 10]).to_string();
    let (code, shown) = run(&["picture", &product, "--file", file.to_str().unwrap()]);
    assert_eq!((code, &shown["fetched"]), (Some(0), &false.into()), "{shown}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(run(&["picture", "--mib-max", "0"]).1["pictures"], 0);
    assert_eq!(run(&["picture", "no-digest"]).0, Some(2));
}
