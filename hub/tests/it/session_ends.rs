//! Sessions end: after a long rest, and after ninety days whatever is done.

use std::net::{IpAddr, Ipv4Addr};

use futures::executor::block_on;
use kirana_core::time::{DAY_MS, UnixMs};
use kirana_hub::app::{
    Hub,
    account::NewAccount,
    session::{NotRefreshed, Refresh, SignIn, Tokens},
    visitor::Visitor,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use crate::{
    program::PASSWORD,
    relay::{NOW, hub, memory},
};

fn day(n: u64) -> UnixMs {
    NOW.plus_ms(n * DAY_MS)
}

fn signed_in(hub: &Hub) -> Tokens {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let new = NewAccount {
        login: "meena".to_owned(),
        password: PASSWORD.to_owned(),
        email: None,
        name: None,
        language: None,
    };
    block_on(hub.register(new, None, NOW, &mut rng)).expect("registered");
    let (login, password) = ("meena".to_owned(), PASSWORD.to_owned());
    let given = SignIn { login, password, otp: None, scope: None };
    let visitor = Visitor::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    block_on(hub.sign_in(given, &visitor, NOW, &mut rng)).expect("signed in").0
}

fn refreshed(hub: &Hub, tokens: &Tokens, at: UnixMs) -> Result<Tokens, NotRefreshed> {
    let asked =
        Refresh { token: tokens.refresh_token.clone(), client: None, retry_id: None, scope: None };
    block_on(hub.refresh(asked, at, &mut ChaCha20Rng::seed_from_u64(at.get())))
}

#[test]
fn std_26_no_refresh_carries_a_session_beyond_ninety_days() {
    let hub = hub(memory());
    let mut tokens = signed_in(&hub);
    for n in [30, 60, 89] {
        tokens = refreshed(&hub, &tokens, day(n)).expect("it is in use");
    }
    let late = refreshed(&hub, &tokens, day(90));
    assert!(matches!(late, Err(NotRefreshed::InvalidGrant)), "{late:?}");
}

#[test]
fn std_26_a_session_that_rested_for_forty_five_days_is_over() {
    let hub = hub(memory());
    let tokens = signed_in(&hub);
    let rested = refreshed(&hub, &tokens, day(45));
    assert!(matches!(rested, Err(NotRefreshed::InvalidGrant)), "{rested:?}");
    let just = refreshed(&hub, &tokens, day(44));
    assert!(just.is_ok(), "{just:?}");
}
