//! Access tokens against the forgeries that the standards name.

use serde_json::{Value, json};

use super::*;

const NOW: UnixMs = UnixMs::new(1_790_000_000_000);

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn claims() -> Claims {
    Claims {
        iss: "http://127.0.0.1:7001".to_owned(),
        sub: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        aud: "http://127.0.0.1:7001".to_owned(),
        exp: NOW.plus_ms(TOKEN_LIFETIME_MS).seconds(),
        iat: NOW.seconds(),
        jti: "1".to_owned(),
        client_id: "kirana".to_owned(),
        scope: "orders carts".to_owned(),
        roles: BTreeSet::from(["customer".to_owned()]),
        sid: Some("s1".to_owned()),
    }
}

fn door() -> Door {
    let at = "http://127.0.0.1:7001".to_owned();
    Door { issuer: at.clone(), audience: at, keys: vec![key().public()] }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token whose header is `header`, genuinely signed by the right key.
fn with_header(header: &Value) -> String {
    let signed = format!("{}.{}", part(header), part(&json!(claims())));
    let signature = URL_SAFE_NO_PAD.encode(key().sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn head(extra: &Value) -> Value {
    let mut head = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": key().id().to_string() });
    let extra = extra.as_object().expect("an object").clone();
    head.as_object_mut().expect("an object").extend(extra);
    head
}

#[test]
fn standards_7_and_8_a_token_is_an_at_jwt_with_the_claims_of_rfc_9068() {
    let token = issue(&key(), &claims());
    let header = jsonwebtoken::decode_header(&token).expect("a header");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let granted = door().verify(&token, NOW).expect("granted");
    assert_eq!(granted.claims(), &claims());
    assert!(granted.claims().allows("orders") && !granted.claims().allows("order"));
}

#[test]
fn standards_3_and_4_another_library_verifies_a_token_from_the_key_set_alone() {
    let set = jwks(&[key().public()]);
    assert!(!set.to_string().contains("\"d\""), "the secret half is never shown");
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(set).expect("a key set");
    let token = issue(&key(), &claims());
    let kid = jsonwebtoken::decode_header(&token).expect("a header").kid.expect("a kid");
    let jwk = set.find(&kid).expect("the key");
    let decoding = jsonwebtoken::DecodingKey::from_jwk(jwk).expect("an Ed25519 key");
    let mut rules = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    rules.validate_exp = false;
    rules.set_audience(&[claims().aud]);
    rules.set_issuer(&[claims().iss]);
    let read = jsonwebtoken::decode::<Claims>(&token, &decoding, &rules).expect("genuine");
    assert_eq!(read.claims, claims());
}

#[test]
fn p6_standards_5_a_token_by_the_key_before_stays_valid_while_that_key_is_kept() {
    let token = issue(&key(), &claims());
    let next = SigningKey::from_seed([2; 32]).public();
    let overlap = Door { keys: vec![next, key().public()], ..door() };
    assert!(overlap.verify(&token, NOW).is_ok());
    let after = Door { keys: vec![next], ..door() };
    assert_eq!(after.verify(&token, NOW), Err(Refused::UnknownKey));
}

#[test]
fn p6_standards_9_any_spelling_of_none_is_refused() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = part(&head(&json!({ "alg": alg })));
        let unsigned = format!("{header}.{}.", part(&json!(claims())));
        assert!(door().verify(&unsigned, NOW).is_err(), "{alg}");
        assert!(door().verify(&with_header(&head(&json!({ "alg": alg }))), NOW).is_err(), "{alg}");
    }
}

#[test]
fn p6_standards_10_an_hmac_keyed_with_the_public_key_is_refused() {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(key().id().to_string());
    let secret = EncodingKey::from_secret(key().public().as_bytes());
    let token = jsonwebtoken::encode(&header, &claims(), &secret).expect("encodes");
    assert_eq!(door().verify(&token, NOW), Err(Refused::OtherAlgorithm));
}

#[test]
fn p6_standards_11_and_12_keys_links_and_crit_in_the_header_are_refused() {
    let x = URL_SAFE_NO_PAD.encode(key().public().as_bytes());
    for extra in [
        json!({ "jwk": { "kty": "OKP", "crv": "Ed25519", "x": x } }),
        json!({ "jku": "https://example.org/keys" }),
        json!({ "x5u": "https://example.org/cert" }),
        json!({ "crit": ["exp"] }),
    ] {
        assert_eq!(door().verify(&with_header(&head(&extra)), NOW), Err(Refused::Unreadable));
    }
}

#[test]
fn p6_standards_13_another_issuer_audience_or_kind_of_token_is_refused() {
    let issued = |claims: Claims| door().verify(&issue(&key(), &claims), NOW);
    let elsewhere = "http://127.0.0.1:7002".to_owned();
    let other_issuer = Claims { iss: elsewhere.clone(), ..claims() };
    assert_eq!(issued(other_issuer), Err(Refused::OtherIssuer));
    assert_eq!(issued(Claims { aud: elsewhere, ..claims() }), Err(Refused::OtherAudience));
    let slash = Claims { aud: format!("{}/", claims().aud), ..claims() };
    assert_eq!(issued(slash), Err(Refused::OtherAudience));
    let id_token = with_header(&head(&json!({ "typ": "JWT" })));
    assert_eq!(door().verify(&id_token, NOW), Err(Refused::OtherKind));
}

#[test]
fn p6_standards_14_a_token_counts_until_it_expires_and_from_a_minute_before_it_began() {
    let token = issue(&key(), &claims());
    let end = NOW.plus_ms(TOKEN_LIFETIME_MS);
    assert!(door().verify(&token, end.minus_ms(1000)).is_ok());
    assert_eq!(door().verify(&token, end), Err(Refused::Expired));
    assert!(door().verify(&token, NOW.minus_ms(60_000)).is_ok());
    assert_eq!(door().verify(&token, NOW.minus_ms(61_000)), Err(Refused::NotYet));
}

#[test]
fn p6_standards_15_flipped_truncated_and_low_order_signatures_are_refused() {
    let token = issue(&key(), &claims());
    for at in 0..token.len() {
        let mut flipped = token.clone().into_bytes();
        flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).expect("ASCII");
        assert!(door().verify(&flipped, NOW).is_err(), "character {at} made no difference");
        assert!(door().verify(&token[..at], NOW).is_err(), "the first {at} characters pass");
    }
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    let mut identity = [0; 64];
    identity[0] = 1;
    let low_order = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(identity));
    assert_eq!(door().verify(&low_order, NOW), Err(Refused::Forged));
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text: String) {
        proptest::prop_assert!(door().verify(&text, NOW).is_err());
    }
}
