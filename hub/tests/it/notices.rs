//! Letters that something waits for a device, by the clock of a test.

use std::net::{IpAddr, Ipv4Addr};

use futures::executor::block_on;
use kirana_core::{
    enrolment::Enrolment,
    key::KeyPair,
    time::{DAY_MS, UnixMs},
};
use kirana_hub::app::{
    Error, Hub, account::NewAccount, device::Keys, letter::Written, policy::Actor, session::SignIn,
    visitor::Visitor,
};
use kirana_sync::wire::{Request, Response};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{
    program::PASSWORD,
    relay::{NOW, hub, list, listed, mail, memory},
};

const MINUTE_MS: u64 = 60_000;

fn rng(n: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(n)
}

fn asha(hub: &Hub) -> Actor {
    let new = NewAccount {
        login: "asha@example.org".to_owned(),
        password: PASSWORD.to_owned(),
        email: None,
        name: None,
        language: Some("hi-IN".to_owned()),
    };
    let (login, password) = (new.login.clone(), new.password.clone());
    block_on(hub.register(new, None, NOW, &mut rng(2))).expect("registered");
    let given = SignIn { login, password, otp: None, scope: None };
    let visitor = Visitor::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let tokens = block_on(hub.sign_in(given, &visitor, NOW, &mut rng(3))).expect("signed in").0;
    block_on(hub.authenticate(&tokens.access_token, NOW)).expect("a token")
}

/// All letters that are due, which count as sent.
fn letters(hub: &Hub, now: UnixMs) -> Vec<Written> {
    let due = block_on(hub.due_letters(now)).expect("read");
    due.iter().for_each(|(letter, _)| block_on(hub.letter_left(letter)).expect("stored"));
    due.into_iter().map(|(_, written)| written).collect()
}

fn confirmed(hub: &Hub, actor: &Actor) {
    letters(hub, NOW);
    block_on(hub.send_email_code(actor, NOW, &mut rng(4))).expect("sent");
    let written = letters(hub, NOW).pop().expect("a letter");
    let mut words = written.body.split_whitespace();
    let code = words.find(|word| word.len() == 8 && word.bytes().all(|b| b.is_ascii_digit()));
    let code = code.expect("a code").to_owned();
    block_on(hub.confirm_email(actor, &code, NOW, &mut rng(5))).expect("confirmed");
}

fn enrolled(hub: &Hub, actor: &Actor) -> KeyPair {
    let pair = KeyPair::from_seed([9; 64]);
    let (key, sealing) = (pair.signing.public(), pair.sealing.public());
    let asked = Enrolment { account: Some(actor.account), shop: None, key, sealing };
    let keys = Keys { key, sealing, proof: asked.prove(&pair.signing) };
    block_on(hub.certify_device(actor, keys, None, NOW, &mut rng(6))).expect("certified");
    pair
}

#[test]
fn p4_who_asked_hears_that_mail_rests_for_their_device_and_nothing_of_what_it_is() {
    let hub = hub(memory());
    let actor = asha(&hub);
    let early = block_on(hub.set_notices(&actor, true, NOW, &mut rng(7)));
    assert!(matches!(early, Err(Error::Conflict { .. })), "no address is confirmed: {early:?}");
    confirmed(&hub, &actor);
    let device = enrolled(&hub, &actor);
    block_on(hub.set_notices(&actor, true, NOW, &mut rng(7))).expect("stored");
    assert!(block_on(hub.gets_notices(&actor, NOW)).expect("read"));
    letters(&hub, NOW);

    let put = |at: UnixMs, what: &[u8]| {
        let mail = mail(&hub, 2, &device, what);
        let sender = KeyPair::from_seed([2; 64]).signing.public();
        let answer = block_on(hub.answer(&sender, Request::Put { mail }, at));
        assert!(matches!(answer, Response::Stored { .. }), "{answer:?}");
    };
    let told = |now: UnixMs| {
        block_on(hub.tell_of_waiting(now, &mut rng(now.get()))).expect("stored");
        letters(&hub, now)
    };
    // The first six hours after turning it on are quiet too.
    let later = NOW.plus_ms(7 * 60 * MINUTE_MS);
    put(later, b"14 Temple Street");
    assert_eq!(told(later.plus_ms(9 * MINUTE_MS)), [], "it may be fetched at once");
    let [letter] = &told(later.plus_ms(10 * MINUTE_MS))[..] else { panic!("one letter") };
    assert_eq!(letter.to, "asha@example.org");
    assert!(letter.subject.contains("उपकरण"), "{}", letter.subject);
    assert!(!letter.body.contains("Temple"), "{}", letter.body);
    put(later.plus_ms(11 * MINUTE_MS), b"another one");
    assert_eq!(told(later.plus_ms(30 * MINUTE_MS)), [], "once in six hours");
    let evening = later.plus_ms(7 * 60 * MINUTE_MS);
    assert_eq!(told(evening).len(), 1, "the second one rests still");
    assert_eq!(told(evening.plus_ms(DAY_MS / 2)), [], "nothing came since");

    let all = block_on(hub.answer(&device.signing.public(), list(&device), evening));
    assert_eq!(listed(all).len(), 2, "letters take nothing away");
    block_on(hub.set_notices(&actor, false, evening, &mut rng(8))).expect("stored");
    put(evening.plus_ms(MINUTE_MS), b"a third one");
    assert_eq!(told(evening.plus_ms(DAY_MS)), [], "they were turned off");
}
