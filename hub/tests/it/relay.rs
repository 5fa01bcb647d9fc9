//! The blind mailbox as the simulation drives it: no runtime, a database in memory.

use futures::executor::block_on;
use kirana_core::{
    certificate::{Certificate, Holder, Standing},
    id::AccountId,
    key::KeyPair,
    mail::{Address, Mail},
    stamp,
    time::{DAY_MS, UnixMs},
};
use kirana_hub::{
    app::{
        Hub, Settings,
        password::{Cost, Hasher},
        throttle::Limits,
    },
    config::Role,
    store::{Store, secrets::Secrets},
};
use kirana_migrations::{Database, Location, Schema};
use kirana_sync::wire::{Code, Request, Response};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

pub const NOW: UnixMs = UnixMs::new(1_790_000_000_000);
const CANARY: &[u8] = b"14 Temple Street, behind the banyan";

pub fn hub(database: Database) -> Hub {
    let settings = Settings {
        role: Role::Central,
        issuer: "http://hub".to_owned(),
        auto_approve: false,
        limits: Limits::default(),
        key_lead_ms: 1,
        timezone: jiff::tz::TimeZone::UTC,
    };
    let (store, secrets) = (Store::Sqlite(database), Secrets::new([1; 32]));
    let hasher = Hasher::inline(Cost::SIMULATION);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let hub = Hub::open(store, secrets, hasher, settings, NOW, &mut rng);
    let hub = block_on(hub).expect("opens");
    block_on(hub.ensure_roster(NOW, &mut rng)).expect("a roster");
    hub
}

pub fn memory() -> Database {
    Database::open(Schema::Hub, Location::Memory).expect("opens")
}

fn device(hub: &Hub, n: u8) -> (KeyPair, Vec<minicbor::bytes::ByteVec>) {
    device_at(hub, n, NOW)
}

pub fn device_at(hub: &Hub, n: u8, at: UnixMs) -> (KeyPair, Vec<minicbor::bytes::ByteVec>) {
    let pair = KeyPair::from_seed([n; 64]);
    let account = AccountId::new(at, [n; 10]);
    let standing = Standing::Device { account, hosted: false };
    let (key, sealing) = (pair.signing.public(), pair.sealing.public());
    let holder = Holder { key, sealing, standing };
    let mut rng = ChaCha20Rng::seed_from_u64(n.into());
    let signed = Certificate::issue(&hub.keys().signing, &holder, at, &mut rng);
    (pair, vec![signed.bytes().to_vec().into()])
}

pub fn mail(hub: &Hub, from: u8, to: &KeyPair, sealed: &[u8]) -> Mail {
    let (pair, chain) = device(hub, from);
    let to = Address::Device(to.id());
    stamp::post(&pair.signing, chain, to, NOW.plus_ms(DAY_MS), sealed.to_vec())
}

fn ask(hub: &Hub, peer: &KeyPair, request: Request) -> Response {
    block_on(hub.answer(&peer.signing.public(), request, NOW))
}

fn waiting(hub: &Hub, peer: &KeyPair) -> Vec<Mail> {
    listed(ask(hub, peer, list(peer)))
}

pub fn list(peer: &KeyPair) -> Request {
    Request::List { address: Address::Device(peer.id()), after: 0, limit: 10 }
}

pub fn listed(answer: Response) -> Vec<Mail> {
    match answer {
        Response::Mails { items, .. } => items.into_iter().map(|(_, mail)| mail).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn p1_stored_mail_survives_a_restart_and_counts_once() {
    let database = memory();
    let hub = hub(database.clone());
    let (sender, recipient) = (KeyPair::from_seed([2; 64]), KeyPair::from_seed([3; 64]));
    let mail = mail(&hub, 2, &recipient, b"sealed");
    for _ in 0..50 {
        let answer = ask(&hub, &sender, Request::Put { mail: mail.clone() });
        assert_eq!(answer, Response::Stored { id: mail.id() });
    }
    drop(hub);
    let hub = self::hub(database.restart());
    assert_eq!(waiting(&hub, &recipient), std::slice::from_ref(&mail));
    assert_eq!(ask(&hub, &recipient, Request::Delete { ids: vec![mail.id()] }), Response::Deleted);
    assert_eq!(waiting(&hub, &recipient), []);
}

#[test]
fn p1_mail_is_not_acknowledged_when_the_commit_fails() {
    let database = memory();
    let hub = hub(database.clone());
    let recipient = KeyPair::from_seed([3; 64]);
    let mail = mail(&hub, 2, &recipient, b"sealed");
    database.writer.inject(Some(kirana_migrations::Fault::CrashBeforeCommit(0)));
    let answer = ask(&hub, &KeyPair::from_seed([2; 64]), Request::Put { mail });
    assert!(matches!(answer, Response::Refused(refused) if refused.code == Code::Unavailable));
}

#[test]
fn p4_p6_mail_is_for_its_recipient_alone_and_deleted_by_nobody_else() {
    let hub = hub(memory());
    let (sender, recipient) = (KeyPair::from_seed([2; 64]), KeyPair::from_seed([3; 64]));
    let mail = mail(&hub, 2, &recipient, b"sealed");
    ask(&hub, &sender, Request::Put { mail: mail.clone() });
    let address = Address::Device(recipient.id());
    let spied = ask(&hub, &sender, Request::List { address, after: 0, limit: 10 });
    assert!(matches!(spied, Response::Refused(refused) if refused.code == Code::NotYours));
    ask(&hub, &sender, Request::Delete { ids: vec![mail.id()] });
    assert_eq!(waiting(&hub, &recipient), [mail]);
}

#[test]
fn p6_guests_forged_stamps_and_strangers_are_refused() {
    let hub = hub(memory());
    let recipient = KeyPair::from_seed([3; 64]);
    let guest = KeyPair::from_seed([9; 64]);
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let own = Certificate::of_guest(&guest.signing, guest.sealing.public(), NOW, &mut rng);
    let chain = vec![own.bytes().to_vec().into()];
    let (to, until) = (Address::Device(recipient.id()), NOW.plus_ms(DAY_MS));
    let by_guest = stamp::post(&guest.signing, chain, to, until, b"sealed".to_vec());
    let answer = ask(&hub, &guest, Request::Put { mail: by_guest });
    assert!(matches!(answer, Response::Refused(refused) if refused.code == Code::NotCertified));
    let mut changed = mail(&hub, 2, &recipient, b"sealed");
    changed.sealed = b"SEALED".to_vec();
    let answer = ask(&hub, &KeyPair::from_seed([2; 64]), Request::Put { mail: changed });
    assert!(matches!(answer, Response::Refused(refused) if refused.code == Code::Malformed));
    assert_eq!(waiting(&hub, &recipient), []);
}

#[test]
fn p4_no_personal_data_stands_in_the_raw_database() {
    let database = memory();
    let hub = hub(database.clone());
    let login = "canary.asha@example.org";
    let new = kirana_hub::app::account::NewAccount {
        login: login.to_owned(),
        password: "four plain words here".to_owned(),
        email: Some(login.to_owned()),
        name: Some("Canary Asha".to_owned()),
        language: None,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    block_on(hub.register(new, None, NOW, &mut rng)).expect("registered");
    let recipient = KeyPair::from_seed([3; 64]);
    let parcel = kirana_core::envelope::Parcel {
        personal: vec![kirana_core::envelope::PersonalPart {
            salt: [1; 16],
            bytes: CANARY.to_vec(),
        }],
        ..Default::default()
    };
    let sealed = kirana_core::envelope::seal(&parcel, &recipient.sealing.public(), &mut rng);
    let sealed = sealed.expect("it fits");
    let mail = mail(&hub, 2, &recipient, &sealed);
    ask(&hub, &KeyPair::from_seed([2; 64]), Request::Put { mail });
    let raw = database.image().expect("in memory");
    for canary in [CANARY, login.as_bytes(), b"Canary Asha"] {
        let found = raw.windows(canary.len()).any(|window| window == canary);
        assert!(!found, "{}", String::from_utf8_lossy(canary));
    }
}
