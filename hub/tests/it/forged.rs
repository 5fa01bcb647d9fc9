//! Three hundred forged access tokens, made of a genuine one; none may open anything.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kirana_core::key::SigningKey;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::program::{Running, send, text};

/// The order of the group that Ed25519 counts in, little end first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A genuine token in its parts.
struct Genuine {
    header: Value,
    claims: Value,
    signed: String,
    signature: Vec<u8>,
    /// The public key, as JWKS shows it.
    public: String,
}

/// A token that counts, and after it those that do not.
pub async fn with_the_genuine_first(hub: &Running) -> Vec<String> {
    hub.register("asha").await;
    let tokens = hub.sign_in("asha").await;
    let token = text(&tokens, "access_token");
    let (_, keys) = send(hub.get("/.well-known/jwks.json")).await;
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let (header, claims) = signed.split_once('.').expect("three parts");
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let genuine = Genuine {
        header: serde_json::from_slice(&read(header)).expect("JSON"),
        claims: serde_json::from_slice(&read(claims)).expect("JSON"),
        signed: signed.to_owned(),
        signature: read(signature),
        public: text(&keys["keys"][0], "x").to_owned(),
    };
    let mut all = vec![token.to_owned()];
    all.extend(genuine.unsigned());
    all.extend(genuine.keyed_with_the_public_key());
    all.extend(genuine.with_more_in_the_header());
    all.extend(genuine.with_other_claims());
    all.extend(genuine.with_other_signatures());
    all.extend(genuine.with_something_left_out());
    all.extend((1..token.len() / 16).map(|n| token[..n * 16].to_owned()));
    assert!(all.len() > 300, "{} tokens", all.len());
    all
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn changed(value: &Value, name: &str, to: Value) -> Value {
    let mut value = value.clone();
    value[name] = to;
    value
}

impl Genuine {
    fn kept(&self, header: &Value, claims: &Value) -> String {
        let signature = URL_SAFE_NO_PAD.encode(&self.signature);
        format!("{}.{}.{signature}", part(header), part(claims))
    }

    /// Signed properly, but by a key that the hub never had.
    fn by_a_stranger(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = SigningKey::from_seed([7; 32]).sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Every spelling of `none`, with three signatures (std 09).
    fn unsigned(&self) -> Vec<String> {
        let mut all = Vec::new();
        for spelling in 0_u32..16 {
            let raised = |(n, c): (usize, char)| {
                if spelling >> n & 1 == 1 { c.to_ascii_uppercase() } else { c }
            };
            let none: String = "none".chars().enumerate().map(raised).collect();
            let header = changed(&self.header, "alg", json!(none));
            let signed = format!("{}.{}", part(&header), part(&self.claims));
            all.extend([format!("{signed}."), format!("{signed}.AA")]);
            all.push(self.kept(&header, &self.claims));
        }
        all
    }

    /// An HMAC keyed with what everybody knows (std 10).
    fn keyed_with_the_public_key(&self) -> Vec<String> {
        let raw = URL_SAFE_NO_PAD.decode(&self.public).expect("base64url");
        let jwk = json!({ "crv": "Ed25519", "kty": "OKP", "x": self.public }).to_string();
        let secrets = [raw, self.public.clone().into_bytes(), jwk.into_bytes(), Vec::new()];
        let mut all = Vec::new();
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let mut header = Header::new(algorithm);
            header.typ = Some("at+jwt".to_owned());
            header.kid = self.header["kid"].as_str().map(str::to_owned);
            for secret in &secrets {
                let key = EncodingKey::from_secret(secret);
                all.push(jsonwebtoken::encode(&header, &self.claims, &key).expect("a token"));
            }
        }
        all
    }

    /// A header that brings or names its own key, or asks for what nobody knows (std 11, 12).
    fn with_more_in_the_header(&self) -> Vec<String> {
        let x = URL_SAFE_NO_PAD.encode(SigningKey::from_seed([7; 32]).public().as_bytes());
        let own = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        let mut all = Vec::new();
        for (name, value) in [
            ("jwk", own),
            ("jku", json!("http://127.0.0.1:9/jwks.json")),
            ("x5u", json!("http://127.0.0.1:9/cert.pem")),
            ("x5c", json!(["MAA="])),
            ("crit", json!(["exp"])),
            ("crit", json!(["urn:nobody:knows"])),
            ("b64", json!(false)),
            ("zip", json!("DEF")),
            ("alg", json!("ES256")),
            ("alg", json!("RS256")),
            ("alg", json!("")),
            ("typ", json!("JWT")),
            ("kid", json!("nobody")),
            ("kid", json!("")),
            ("kid", json!("../../etc/passwd")),
            ("kid", json!(null)),
            ("kid", json!(1)),
        ] {
            let header = changed(&self.header, name, value);
            all.push(self.kept(&header, &self.claims));
            all.push(self.by_a_stranger(&header, &self.claims));
        }
        all.push(self.by_a_stranger(&self.header, &self.claims));
        all
    }

    /// Claims that the signature does not cover (std 13, 14).
    fn with_other_claims(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("aud", json!("https://evil.example")),
            ("aud", json!(["https://evil.example"])),
            ("sub", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
            ("scope", json!("account admin")),
            ("exp", json!(0)),
            ("exp", json!(i64::MAX)),
            ("exp", json!("tomorrow")),
            ("iat", json!(i64::MAX)),
            ("nbf", json!(i64::MAX)),
            ("jti", json!("")),
            ("sid", json!(null)),
            ("client_id", json!("app")),
            ("roles", json!(["admin"])),
        ] {
            let claims = changed(&self.claims, name, value);
            all.push(self.kept(&self.header, &claims));
            all.push(self.by_a_stranger(&self.header, &claims));
        }
        all
    }

    /// A header or claims with a member less (std 08).
    fn with_something_left_out(&self) -> Vec<String> {
        let mut all = Vec::new();
        let names = |value: &Value| -> Vec<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        let without = |value: &Value, name: &str| {
            let mut value = value.clone();
            value.as_object_mut().expect("an object").remove(name);
            value
        };
        for name in names(&self.header) {
            let header = without(&self.header, &name);
            all.push(self.kept(&header, &self.claims));
            all.push(self.by_a_stranger(&header, &self.claims));
        }
        for name in names(&self.claims) {
            let claims = without(&self.claims, &name);
            all.push(self.kept(&self.header, &claims));
            all.push(self.by_a_stranger(&self.header, &claims));
        }
        all
    }

    /// Flipped, cut, doubled and low-order signatures (std 15).
    fn with_other_signatures(&self) -> Vec<String> {
        let mut signatures: Vec<Vec<u8>> = Vec::new();
        for n in 0..self.signature.len() {
            let mut flipped = self.signature.clone();
            flipped[n] ^= 1 << (n % 8);
            signatures.extend([flipped, self.signature[..n].to_vec()]);
        }
        // The same signature again, one turn further round the group.
        let mut turned = self.signature.clone();
        let mut carry = 0;
        for (byte, more) in turned[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        // Points of low order for R: the neutral one, and those of order two and four.
        let mut low = [vec![0; 64], vec![0; 64], vec![0; 64]];
        low[0][0] = 1;
        low[1][..32].copy_from_slice(&[0xff; 32]);
        (low[1][0], low[1][31]) = (0xec, 0x7f);
        signatures.extend([turned, self.signature.repeat(2), vec![0xff; 64]]);
        signatures.extend(low);
        let whole = |s: Vec<u8>| format!("{}.{}", self.signed, URL_SAFE_NO_PAD.encode(s));
        signatures.into_iter().map(whole).collect()
    }
}

#[tokio::test]
async fn std_09_10_11_12_13_14_15_every_forged_token_is_401_and_the_genuine_one_is_not() {
    let hub = Running::start(&[]);
    for (n, token) in with_the_genuine_first(&hub).await.iter().enumerate() {
        let (status, problem) = send(hub.get("/v1/me").bearer_auth(token)).await;
        let expected = if n == 0 { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, expected, "{n}: {token}: {problem}");
    }
}
