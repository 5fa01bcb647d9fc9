//! Categories at a household: the shop's own tree, saved with its catalogue and read offline.

use kirana_core::{
    catalogue::{
        BucketNo,
        category::Category,
        document::{Author, Bucket, Heads},
        edit::Edit,
        head::{Extent, Head},
        product::{Language, Product},
    },
    hash::Hash,
    id::{ProductId, VariantId},
};
use kirana_customer::app::Household;
use kirana_migrations::catalogue::{Filter, search::Query};
use kirana_sync::pull::Load;

use crate::neighbour::{NOW, Neighbour, household};

/// The chunk with which a shop says all that it does in a document of its catalogue.
fn said(shop: &Neighbour, bucket: BucketNo, edits: &[Edit]) -> Load {
    let mut document = Bucket::new(shop.id, bucket);
    let author = Author { key: shop.node.id(), incarnation: 1 };
    document.edit_all(&author, edits, NOW).unwrap();
    let bytes = document.since(&Heads::default());
    let head = Head {
        shop: shop.id,
        generation: shop.generation,
        bucket,
        n: 1,
        extent: Extent::Chunk,
        content: Hash::of(&bytes),
        heads: document.heads().hashes(),
        at: NOW,
    };
    Load { head: head.sign(&shop.node.signing), bytes }
}

fn tree(shop: &Neighbour) -> Load {
    let entry = ProductId::new(NOW, [9; 10]);
    let mut own = Category::new(entry, "sweets/village".parse().unwrap());
    own.parent = Some("sweets/mithai".parse().unwrap());
    own.names.insert(Language::HINDI, "गाँव की मिठाई".to_owned());
    let mut milk = Category::new(ProductId::new(NOW, [8; 10]), "dairy/milk".parse().unwrap());
    milk.names.insert(Language::ENGLISH, "Our milk".to_owned());
    said(shop, BucketNo::INDEX, &[own, milk].map(|it| Edit::PutCategory(Box::new(it))))
}

fn goods(shop: &Neighbour) -> Load {
    let ware = |n: u8, name: &str, category: &str| {
        let (id, variant) = (ProductId::new(NOW, [n; 10]), VariantId::new(NOW, [n; 10]));
        let mut ware = Product::new(id, Language::ENGLISH, name, variant);
        ware.category = Some(category.to_owned());
        Edit::PutProduct(Box::new(ware))
    };
    let wares = [ware(1, "Barfi", "sweets/village"), ware(2, "Peda", "sweets/mithai")];
    said(shop, BucketNo::FIRST, &wares)
}

fn on(household: &Household, said: &str) -> Vec<String> {
    let category = Some(household.category_meant(None, said).unwrap());
    let filter = Filter { category, ..Filter::default() };
    let found = household.search(&Query { filter, limit: 10, ..Query::default() }).unwrap();
    let names = found.items.iter().map(|item| item.product.name(Language::ENGLISH).to_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn p3_a_shops_own_categories_are_there_without_a_network_whatever_came_first() {
    for index_first in [true, false] {
        let (shop, meena) = (Neighbour::new(), household(1));
        shop.introduce_to(&meena);
        let mut loads = [tree(&shop), goods(&shop)];
        if !index_first {
            loads.reverse();
        }
        for load in &loads {
            assert!(meena.save_catalogue(load).unwrap());
        }
        assert_eq!(on(&meena, "sweets"), ["Barfi", "Peda"]);
        assert_eq!(on(&meena, "गाँव की मिठाई"), ["Barfi"], "by its name");
        assert_eq!(on(&meena, "Indian sweets"), ["Barfi", "Peda"]);
        let all = meena.categories(None).unwrap();
        let of = |id: &str| all.iter().find(|category| category.id == id).unwrap();
        assert_eq!(of("sweets/mithai").products, 2);
        assert_eq!(of("sweets/village").name(Language::HINDI), "गाँव की मिठाई");
        assert_eq!(of("dairy/milk").name(Language::ENGLISH), "Our milk", "as its only shop says");
        assert_eq!(meena.verify().faults, Vec::<String>::new());
    }
}

#[test]
fn what_a_shop_puts_among_categories_that_is_none_is_not_saved() {
    let (shop, meena) = (Neighbour::new(), household(1));
    shop.introduce_to(&meena);
    let mut load = goods(&shop);
    let head = Head { bucket: BucketNo::INDEX, ..load.head.head().clone() };
    load.head = head.sign(&shop.node.signing);
    assert!(meena.save_catalogue(&load).is_err(), "products among the categories");
    assert_eq!(meena.categories(None).unwrap().iter().map(|it| it.products).max(), Some(0));
}
