use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

const ISSUER: &str = "https://login.example.com";
const NOW: i64 = 1_780_000_000;

fn expected() -> Expected<'static> {
    let now = Timestamp::from_unix_ms(NOW * 1000, 0).unwrap();
    Expected { issuer: ISSUER, client_id: "leadlog", nonce: "n-0S6", now }
}

/// A provider that signs whatever it likes.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn key(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let coordinate = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
                "x": coordinate(1..33), "y": coordinate(33..65) })
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "1" })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "leadlog", "sub": "24400320", "exp": NOW + 300, "iat": NOW, "nonce": "n-0S6" })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn what_the_provider_says_to_this_store_now_counts() {
    let signer = Signer::new();
    // A key of a kind that this program does not know spoils no other.
    let keys = json!({ "keys": [{ "kty": "LATTICE", "kid": "0" }, signer.key("1")] });
    for claims in [
        claims(),
        with("aud", json!(["leadlog"])),
        { with("aud", json!(["other", "leadlog"])) }.as_object().map_or(Value::Null, |claims| {
            let mut claims = claims.clone();
            claims.insert("azp".to_owned(), "leadlog".into());
            claims.into()
        }),
        with("exp", json!(NOW - CLOCK_TOLERANCE_SECONDS + 1)),
        with("auth_time", json!(NOW - MAX_LOGIN_AGE_SECONDS)),
    ] {
        let read = check(&signer.signed(&header(), &claims), keys.clone(), &expected());
        assert_eq!(read.map(|claims| claims.subject), Ok("24400320".to_owned()), "{claims}");
    }
    // Of one key there is no doubt.
    let anonymous = signer.signed(&json!({ "alg": "ES256" }), &claims());
    assert!(check(&anonymous, json!({ "keys": [signer.key("1")] }), &expected()).is_ok());
}

#[test]
fn everything_else_does_not_count_and_says_why() {
    let (signer, other) = (Signer::new(), Signer::new());
    let keys = json!({ "keys": [signer.key("1"), other.key("2")] });
    let signed = |claims: Value| signer.signed(&header(), &claims);
    // The public key as if it were a secret.
    let hs256 = unsigned(&json!({ "alg": "HS256", "kid": "1" }), &claims());
    let secret = hmac::Key::new(hmac::HMAC_SHA256, signer.0.public_key().as_ref());
    let confused = format!("{hs256}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&secret, hs256.as_bytes())));
    let cases = [
        ("no token", "eyJ".to_owned(), RefusedIdToken::Malformed),
        ("none", format!("{}.", unsigned(&json!({ "alg": "none" }), &claims())), RefusedIdToken::Malformed),
        ("key confusion", confused, RefusedIdToken::Algorithm),
        (
            "another algorithm than the key's",
            signer.signed(&json!({ "alg": "RS256", "kid": "1" }), &claims()),
            RefusedIdToken::Algorithm,
        ),
        (
            "unknown key",
            signer.signed(&json!({ "alg": "ES256", "kid": "3" }), &claims()),
            RefusedIdToken::UnknownKey,
        ),
        ("one of two keys", signer.signed(&json!({ "alg": "ES256" }), &claims()), RefusedIdToken::UnknownKey),
        ("signature", other.signed(&header(), &claims()), RefusedIdToken::Signature),
        ("issuer", signed(with("iss", json!("https://evil.example.com"))), RefusedIdToken::Issuer),
        ("audience", signed(with("aud", json!("other"))), RefusedIdToken::Audience),
        ("no audience", signed(without("aud")), RefusedIdToken::Malformed),
        ("several audiences", signed(with("aud", json!(["leadlog", "other"]))), RefusedIdToken::Audience),
        ("another party", signed(with("azp", json!("other"))), RefusedIdToken::Audience),
        ("expired", signed(with("exp", json!(NOW - CLOCK_TOLERANCE_SECONDS))), RefusedIdToken::Expired),
        ("not yet", signed(with("nbf", json!(NOW + CLOCK_TOLERANCE_SECONDS + 1))), RefusedIdToken::Expired),
        ("no end", signed(without("exp")), RefusedIdToken::Malformed),
        ("an earlier login", signed(with("auth_time", json!(NOW - 3_600))), RefusedIdToken::OldLogin),
        ("nonce", signed(with("nonce", json!("other"))), RefusedIdToken::Nonce),
        ("no nonce", signed(without("nonce")), RefusedIdToken::Nonce),
        ("nobody", signed(with("sub", json!(""))), RefusedIdToken::Malformed),
    ];
    for (case, token, refused) in cases {
        assert_eq!(check(&token, keys.clone(), &expected()).err(), Some(refused), "{case}");
    }
}

fn said(more: Value) -> Claims {
    let Value::Object(all) = more else { panic!("claims are an object") };
    Claims { subject: "24400320".to_owned(), all }
}

#[test]
fn what_a_person_may_do_is_found_wherever_a_provider_puts_it() {
    let words = |claims: Value, at: &str| said(claims).scopes_at(at);
    let found = Some(vec!["crm".to_owned(), "organize".to_owned()]);
    assert_eq!(words(json!({ "roles": ["crm", "organize"] }), "roles"), found);
    assert_eq!(words(json!({ "scp": "crm organize" }), "scp"), found);
    let auth0 = "https://leads.example.com/roles";
    assert_eq!(words(json!({ auth0: ["crm", "organize"] }), auth0), found);
    let keycloak = json!({ "realm_access": { "roles": ["crm", 7, "organize"] } });
    assert_eq!(words(keycloak, "/realm_access/roles"), found);
    for nothing in [json!({}), json!({ "roles": 7 }), json!({ "roles": null })] {
        assert_eq!(words(nothing, "roles"), None);
    }
    assert_eq!(words(json!({ "realm_access": "x" }), "/realm_access/roles"), None);
}

#[test]
fn what_is_said_elsewhere_is_of_the_same_person_and_changes_nothing_that_was_signed() {
    let mut claims = said(json!({ "name": "Ewa" }));
    claims.learn(json!({ "sub": "24400320", "name": "Eve", "roles": ["crm"] })).unwrap();
    assert_eq!(claims.name().unwrap().as_str(), "Ewa");
    assert!(claims.scopes_at("roles").is_some());
    assert_eq!(claims.learn(json!({ "sub": "1" })), Err(RefusedIdToken::OtherPerson));
    let unnamed = said(json!({ "name": " ", "preferred_username": "ewa" }));
    assert_eq!(unnamed.name().unwrap().as_str(), "ewa");
}
