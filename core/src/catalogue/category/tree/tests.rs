//! Trees of categories: extended, merged, refused.

use super::*;
use crate::{catalogue::category::NotACategory, id::ProductId, time::UnixMs};

fn id(text: &str) -> CategoryId {
    text.parse().expect("an id")
}

/// What a shop says of a node, as the `n`th thing that it says.
fn said(n: u8, node: &str, parent: Option<&str>) -> Category {
    let entry = ProductId::new(UnixMs::new(u64::from(n)), [n; 10]);
    let names = BTreeMap::from([(Language::ENGLISH, format!("{node} {n}"))]);
    Category { parent: parent.map(id), names, ..Category::new(entry, id(node)) }
}

#[test]
fn every_built_in_node_is_named_in_english_and_hindi_and_at_most_three_deep() {
    let tree = Tree::built_in();
    assert!((100..=150).contains(&tree.nodes.len()), "{}", tree.nodes.len());
    assert_eq!(tree.nodes().len(), tree.nodes.len(), "each stands somewhere");
    for (id, node) in &tree.nodes {
        assert_eq!(id.as_str().parse().as_ref(), Ok(id));
        assert!(node.parent.as_ref().is_none_or(|parent| tree.nodes.contains_key(parent)), "{id}");
        assert!(tree.way(id).len() <= 3, "{id}");
        assert!(node.names.values().all(|name| !name.is_empty()), "{id}");
        assert!(!node.name(Language::HINDI).is_ascii(), "{id}");
    }
}

#[test]
fn a_product_stands_on_its_shelf_and_on_all_above_and_an_unknown_word_on_its_own() {
    let tree = Tree::built_in();
    assert_eq!(tree.shelves("dairy/milk/fresh"), ["dairy", "dairy/milk", "dairy/milk/fresh"]);
    assert_eq!(tree.shelves("Dairy"), ["Dairy"]);
}

#[test]
fn words_of_every_language_and_of_open_food_facts_mean_a_node() {
    let tree = Tree::of([said(1, "sweets/barfi", Some("sweets/mithai"))]);
    for (word, node) in [
        ("dairy/milk", "dairy/milk"),
        ("MILK", "dairy/milk"),
        ("दूध", "dairy/milk"),
        ("fruit juices", "drinks/juice"),
        ("fruit-juices", "drinks/juice"),
        ("snacks", "snacks"),
        ("sweets/barfi 1", "sweets/barfi"),
    ] {
        assert_eq!(tree.meant(word), Some(&id(node)), "{word}");
    }
    for word in ["", " ", "screwdrivers", "<script>"] {
        assert_eq!(tree.meant(word), None, "{word}");
    }
}

#[test]
fn a_shop_adds_renames_hides_and_takes_away_again() {
    let hidden = Category { hidden: true, ..said(3, "dairy/milk", None) };
    let gone = Category { removed: true, ..said(4, "house/b", Some("house")) };
    let (top, below) = (said(1, "house", None), said(5, "house/b/c", Some("house/b")));
    let tree = Tree::of([top, hidden, gone, below]);
    assert_eq!(tree.shelves("dairy/milk/fresh"), ["dairy", "dairy/milk/fresh"]);
    assert_eq!(tree.shelves("house/b"), ["house"], "what was taken away stands at its parent");
    assert_eq!(tree.shelves("house/b/c"), ["house", "house/b/c"]);
    let node = tree.node("dairy/milk").expect("it is there");
    assert_eq!((node.name(Language::ENGLISH), node.name(Language::HINDI)), ("dairy/milk 3", "दूध"));
    assert!(tree.node("house/b").is_none());
    let differing: Vec<_> = tree.differing().map(CategoryId::as_str).collect();
    assert!(differing.contains(&"dairy/milk/powder") && differing.contains(&"house/b"));
    assert!(!differing.contains(&"dairy/curd"));
}

#[test]
fn whatever_two_people_did_apart_is_a_tree_again() {
    let circle = [said(1, "a", Some("c")), said(2, "b", Some("a")), said(3, "c", Some("b"))];
    let tree = Tree::of(circle);
    assert_eq!(tree.shelves("c"), ["a", "b", "c"], "cut at the smallest id");
    let lost = Tree::of([said(1, "x", Some("nowhere"))]);
    assert_eq!(lost.shelves("x"), ["x"]);
    let line: Vec<Category> = (1..=8)
        .map(|n| said(n, &format!("n{n}"), (n > 1).then(|| format!("n{}", n - 1)).as_deref()))
        .collect();
    let tree = Tree::of(line);
    for n in 1..=8 {
        let shelves = tree.shelves(["", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8"][n]);
        assert!(shelves.len() <= DEPTH_MAX && shelves[0] == "n1", "{shelves:?}");
    }
    let twice = Tree::of([said(1, "d", None), said(2, "d", None)]);
    assert_eq!(
        twice.node("d").expect("one").name(Language::ENGLISH),
        "d 2",
        "the later made holds"
    );
    let shuffled = Tree::of([said(2, "d", None), said(1, "d", None)]);
    assert_eq!(shuffled, twice);
}

#[test]
fn what_is_no_tree_is_refused_by_name() {
    let tree = Tree::of([said(1, "a", None), said(2, "b", Some("a"))]);
    let new = |node: &str, parent| tree.takes(&said(9, node, parent), true);
    let moved = |node: &str, parent| tree.takes(&said(9, node, parent), false);
    assert_eq!(new("c", Some("b")), Ok(()));
    assert_eq!(new("a", None), Err(NotATree::Known(id("a"))));
    assert_eq!(new("dairy", None), Err(NotATree::Known(id("dairy"))));
    assert_eq!(new("c", Some("z")), Err(NotATree::Unknown(id("z"))));
    assert_eq!(moved("z", None), Err(NotATree::Unknown(id("z"))));
    assert_eq!(moved("dairy", Some("a")), Err(NotATree::BuiltIn(id("dairy"))));
    assert_eq!(moved("a", Some("b")), Err(NotATree::Circle(id("a"), id("b"))));
    assert_eq!(moved("a", Some("a")), Err(NotATree::Circle(id("a"), id("a"))));
    assert_eq!(moved("a", Some("dairy/milk/fresh")), Ok(()), "five deep");
    let deeper = Tree::of([said(1, "a", None), said(2, "b", Some("a")), said(3, "c", Some("b"))]);
    let moved = deeper.takes(&said(9, "a", Some("dairy/milk/fresh")), false);
    assert_eq!(moved, Err(NotATree::TooDeep));
    assert_eq!(said(9, "n", None).check(), Ok(()));
    for text in ["", "a//b", "/a", "Dairy", "<script>", "a b", "दूध", &"x".repeat(101)] {
        assert_eq!(text.parse::<CategoryId>(), Err(NotACategory::Id), "{text}");
    }
    let named = |name: String| {
        let names = BTreeMap::from([(Language::ENGLISH, name)]);
        Category { names, ..said(9, "n", None) }.check()
    };
    assert_eq!(named("x".repeat(120)), Ok(()));
    for name in ["x".repeat(121), "x".repeat(301), " ".to_owned(), "a\0".to_owned()] {
        assert_eq!(named(name), Err(NotACategory::Name));
    }
    let many = |n: u16| {
        let entry = |n: u16| ProductId::new(UnixMs::new(u64::from(n)), [0; 10]);
        let one = |n: u16| Category { entry: entry(n), ..said(1, &format!("n{n}"), None) };
        Tree::of((0..n).map(one)).has_room()
    };
    assert_eq!((many(499), many(500)), (Ok(()), Err(NotATree::TooMany)));
}
