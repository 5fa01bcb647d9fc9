//! Backups on disk, and staff who come and go.

use kirana_core::{
    key::KeyPair,
    vault::{self, Cost},
};
use kirana_migrations::{Database, Location, Schema};
use kirana_shop::app::{
    Founding, Keys, Shop,
    backup::{NoBackup, unpack},
    roles::Post,
    staff::{Member, NotStaffed},
};
use zeroize::Zeroizing;

use crate::neighbour::{NOW, rng, rupees};

fn on_disk(folder: &std::path::Path) -> (Shop, String) {
    let database = Database::open(Schema::Shop, Location::File(folder.join("shop.db")));
    let mut rng = rng(1);
    let code = vault::to_code(&[7; 32]);
    let mut keys = Keys::draw(&mut rng);
    keys.recovery_code = Some(Zeroizing::new(code.clone()));
    let founding = Founding { name: "Corner".into(), currency: rupees(), place: None, hub: None };
    let shop = Shop::found(database.expect("it opens"), keys, founding, NOW, &mut rng);
    (shop.expect("it is founded"), code)
}

#[test]
fn a_backup_opens_with_the_printed_code_only_and_begins_a_new_generation() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, code) = on_disk(folder.path());
    let file = folder.path().join("monday.backup");
    shop.backup(&file, Cost::LOWEST, &mut rng(2)).unwrap();
    let again = shop.backup(&file, Cost::LOWEST, &mut rng(2));
    assert!(matches!(again, Err(NoBackup::Exists)));
    let to = folder.path().join("restored.db");
    let wrong = unpack(&file, &vault::to_code(&[8; 32]), &to);
    assert!(matches!(wrong, Err(NoBackup::WrongCode)));
    assert!(!to.exists(), "nothing is left of a refused backup");
    let keys = unpack(&file, &code.to_lowercase(), &to).unwrap();
    let database = Database::open(Schema::Shop, Location::File(to)).unwrap();
    let restored = Shop::restore(database, &keys, 4, NOW, &mut rng(3)).unwrap();
    assert_eq!((restored.id(), restored.generation()), (shop.id(), 5));
    assert_ne!(restored.keys().node.id(), shop.keys().node.id());
}

#[test]
fn p8_a_backup_that_was_cut_or_changed_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, code) = on_disk(folder.path());
    let file = folder.path().join("monday.backup");
    shop.backup(&file, Cost::LOWEST, &mut rng(2)).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let to = folder.path().join("restored.db");
    let bad = folder.path().join("bad.backup");
    for len in [0, 10, 20, 300, 70_000, whole.len() - 1] {
        std::fs::write(&bad, &whole[..len]).unwrap();
        assert!(unpack(&bad, &code, &to).is_err(), "{len} bytes");
    }
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&bad, &changed).unwrap();
        assert!(unpack(&bad, &code, &to).is_err(), "byte {at}");
    }
    assert!(!to.exists());
}

#[test]
fn p4_a_backup_shows_nothing_of_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, _) = on_disk(folder.path());
    let file = folder.path().join("monday.backup");
    shop.backup(&file, Cost::LOWEST, &mut rng(2)).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let secret = shop.keys().node.signing.to_seed();
    assert!(!bytes.windows(6).any(|window| window == b"Corner"));
    assert!(!bytes.windows(32).any(|window| window == secret));
}

#[test]
fn p6_a_member_of_staff_who_is_shut_out_is_out_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (shop, _) = on_disk(folder.path());
    let till = KeyPair::from_seed([9; 64]);
    let member = Member {
        key: till.signing.public(),
        sealing: till.sealing.public(),
        post: Post::Staff,
        label: "Till 1".into(),
    };
    let chain = shop.add_staff(member, NOW, &mut rng(4)).unwrap();
    assert!(shop.trust().unwrap().check(&chain, NOW).is_ok());
    let stranger = KeyPair::from_seed([10; 64]).id();
    let unknown = shop.revoke_staff(stranger, false, NOW, &mut rng(5));
    assert!(matches!(unknown, Err(NotStaffed::Unknown(_))));
    shop.revoke_staff(till.id(), false, NOW, &mut rng(5)).unwrap();
    assert!(shop.trust().unwrap().check(&chain, NOW).is_err());
}
