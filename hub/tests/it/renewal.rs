//! A household's device signs in once, and renews its certificate by itself.

use kirana_core::{certificate::UnverifiedCertificate, key::KeyPair};
use kirana_customer::net::{NetError, sign_in};
use kirana_hub::clock;
use reqwest::StatusCode;

use crate::program::{PASSWORD, Running, send};

#[tokio::test]
async fn a_device_is_certified_again_by_the_sign_in_that_it_keeps() {
    let hub = Running::start(&[]);
    hub.register("meena").await;
    let keys = KeyPair::from_seed([5; 64]);
    let sign_in = async |before| {
        let own = (&keys, clock::now());
        sign_in::sign_in(&hub.url, "meena", (PASSWORD, None), own, before).await
    };
    let first = sign_in(None).await.expect("signed in");
    assert!(first.session.device_token.is_some(), "the hub will know this device");
    let again = sign_in(Some(&first.session)).await.expect("signed in");
    assert_eq!(again.session.device_token, first.session.device_token, "it was known");

    let now = clock::now();
    let refreshed = sign_in::refresh(&first.session, [1; 16], now).await.expect("refreshed");
    let repeated = sign_in::refresh(&first.session, [1; 16], now).await.expect("refreshed");
    assert_eq!(refreshed, repeated, "a reply that was lost is no lost sign-in");
    let (session, token) = refreshed;
    assert_ne!(session.refresh_token, first.session.refresh_token);
    let renewed = sign_in::renew(&session.url, &token, &keys).await.expect("renewed");
    let read = |chain: &[Vec<u8>]| UnverifiedCertificate::parse(&chain[0]).expect("it parses");
    let (old, new) = (read(&first.certificates), read(&renewed));
    assert_eq!(new.claimed().standing, old.claimed().standing);
    assert_eq!(new.claimed().key, keys.signing.public());
    assert!(new.claimed().not_before >= old.claimed().not_before);

    // Whoever signed out everywhere has to sign in again; what was certified counts until it ends.
    let all = hub.delete("/v1/sessions").bearer_auth(&token);
    assert_eq!(send(all).await.0, StatusCode::NO_CONTENT);
    let over = sign_in::refresh(&session, [2; 16], now).await;
    assert!(matches!(over, Err(NetError::Denied { .. })), "{over:?}");
}
