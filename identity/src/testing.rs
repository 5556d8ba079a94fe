//! For tests: devices that have a key, and tokens and assertions that somebody has tampered with, each with why it must
//! not count.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{DeviceKey, Digest, EnrolledDevice, EnrolmentId, Scope, StoreId, Timestamp};
use event_store::{EventLog, NewEvent, PostgresLog};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{RefusedAssertion, RefusedToken};

/// Has a store's own key, as nobody should, and signs whatever it likes.
pub struct Forger {
    kid: String,
    pair: EcdsaKeyPair,
    store: StoreId,
    now: i64,
}

/// A token that must not count.
pub struct Forgery {
    /// What is wrong with it.
    pub name: &'static str,
    /// The token.
    pub token: String,
    /// Why it must be refused.
    pub refusal: RefusedToken,
}

impl Forger {
    /// With the key of a store that has one.
    ///
    /// # Panics
    /// When it has none.
    pub async fn of(pool: &PgPool, store: StoreId, now: Timestamp) -> Self {
        let (kid, pkcs8): (String, Vec<u8>) = sqlx::query_as(
            "SELECT kid, pkcs8 FROM signing_keys WHERE retired_at IS NULL AND replaced_at IS NULL",
        )
        .fetch_one(pool)
        .await
        .expect("the store has a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).expect("it is a key");
        Self { kid, pair, store, now: now.unix_seconds() }
    }

    /// A token with this scope that nothing is wrong with.
    pub fn genuine(&self, scope: Scope) -> String {
        self.signed(&self.header(), &self.claims(scope))
    }

    /// A token with this scope of a client that shows a secret of this id.
    pub fn of_client(&self, client: &str, secret_id: &str, scope: Scope) -> String {
        let mut claims = self.claims(scope);
        claims["sub"] = format!("client:{client}").into();
        claims["client_id"] = client.into();
        claims["secret_id"] = secret_id.into();
        self.signed(&self.header(), &claims)
    }

    /// A token for each way in which one can be wrong, though it has the scope.
    pub fn forgeries(&self, scope: Scope) -> Vec<Forgery> {
        let with_claim = |name: &str, value: Value| {
            let mut claims = self.claims(scope);
            claims[name] = value;
            self.signed(&self.header(), &claims)
        };
        let with_header = |name: &str, value: Value| {
            let mut header = self.header();
            header[name] = value;
            header
        };
        let claims = self.claims(scope);
        let without = |name: &str| {
            let mut claims = self.claims(scope);
            claims.as_object_mut().map(|claims| claims.remove(name));
            self.signed(&self.header(), &claims)
        };
        let of_another_store = "urn:leadlog:store:00000000-0000-4000-8000-000000000000";
        let hs256 = with_header("alg", "HS256".into());
        let none = with_header("alg", "none".into());
        let genuine = self.genuine(scope);
        let swapped = self.signed(&self.header(), &self.claims(Scope::Operate));
        let spliced = [part(&genuine, 0), part(&genuine, 1), part(&swapped, 2)].join(".");
        let spki = [&P256_SPKI[..], self.pair.public_key().as_ref()].concat();
        [
            ("garbage", "garbage".to_owned(), RefusedToken::Malformed),
            ("nothing between dots", "..".to_owned(), RefusedToken::Malformed),
            ("very long", "a.".repeat(4000), RefusedToken::Malformed),
            ("wrong audience", with_claim("aud", of_another_store.into()), RefusedToken::Audience),
            ("wrong issuer", with_claim("iss", of_another_store.into()), RefusedToken::Issuer),
            ("no audience", without("aud"), RefusedToken::Malformed),
            ("no issuer", without("iss"), RefusedToken::Malformed),
            ("no expiry", without("exp"), RefusedToken::Malformed),
            ("expired", with_claim("exp", self.now.into()), RefusedToken::Expired),
            ("a life of two days", with_claim("exp", (self.now + 2 * 86_400).into()), RefusedToken::TooLong),
            ("expiry as text", with_claim("exp", "2100".into()), RefusedToken::Malformed),
            ("subject of no kind", with_claim("sub", "crm-import".into()), RefusedToken::Malformed),
            ("scope of no kind", with_claim("scope", "admin".into()), RefusedToken::Malformed),
            ("alg none", unsigned(&none, &claims), RefusedToken::Malformed),
            ("no signature", unsigned(&self.header(), &claims), RefusedToken::Signature),
            (
                "HS256 by the public key",
                authenticated(&hs256, &claims, self.pair.public_key().as_ref()),
                RefusedToken::Algorithm,
            ),
            (
                "HS256 by the public key as SPKI",
                authenticated(&hs256, &claims, &spki),
                RefusedToken::Algorithm,
            ),
            (
                "HS256 that calls itself ES256",
                authenticated(&self.header(), &claims, self.pair.public_key().as_ref()),
                RefusedToken::Signature,
            ),
            ("ES384", self.signed(&with_header("alg", "ES384".into()), &claims), RefusedToken::Algorithm),
            ("type JWT", self.signed(&with_header("typ", "JWT".into()), &claims), RefusedToken::Type),
            ("no type", self.signed(&with_header("typ", Value::Null), &claims), RefusedToken::Type),
            (
                "unknown key",
                self.signed(&with_header("kid", "other".into()), &claims),
                RefusedToken::UnknownKey,
            ),
            ("no key", self.signed(&with_header("kid", Value::Null), &claims), RefusedToken::UnknownKey),
            ("signature of another token", spliced, RefusedToken::Signature),
        ]
        .map(|(name, token, refusal)| Forgery { name, token, refusal })
        .into()
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid })
    }

    fn claims(&self, scope: Scope) -> Value {
        let store = format!("urn:leadlog:store:{}", self.store);
        json!({
            "iss": store, "aud": store, "sub": "admin:forger", "client_id": "leadlog-cli",
            "scope": scope.as_str(), "iat": self.now, "exp": self.now + 600, "jti": "forged"
        })
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        signed(&self.pair, header, claims)
    }
}

/// Copies every stream of a kind from one store's log to that of another, as a relay would. `names` are those of its
/// events, of which every one is in its first form.
///
/// # Panics
/// When a log does not answer, or there is an event of another name.
pub async fn copy_streams(
    from: &PostgresLog,
    to: &PostgresLog,
    aggregate_type: &'static str,
    names: &[&'static str],
) {
    let events = from.read_kind_after(aggregate_type, 0, 1_000).await.expect("the log answers");
    let copies: Vec<NewEvent> = events
        .into_iter()
        .map(|event| NewEvent {
            aggregate_type,
            aggregate_id: event.aggregate_id,
            sequence: event.sequence,
            event_type: names.iter().find(|name| **name == event.event_type).expect("it is of the kind"),
            event_version: "1",
            digest: Digest::of(&event.payload),
            payload: event.payload,
            metadata: Vec::new(),
            claim: None,
        })
        .collect();
    to.append(&copies).await.expect("the log takes them");
}

/// A device with a key of its own, as a browser makes one.
pub struct KeyedDevice {
    pair: EcdsaKeyPair,
    device_id: String,
}

/// An assertion that must not count.
pub struct ForgedAssertion {
    /// What is wrong with it.
    pub name: &'static str,
    /// The assertion.
    pub text: String,
    /// Why it must be refused.
    pub refusal: RefusedAssertion,
}

impl KeyedDevice {
    /// An installation of this id.
    ///
    /// # Panics
    /// When the machine makes no keys.
    pub fn new(device_id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key is made");
        Self { pair, device_id: device_id.to_owned() }
    }

    /// What a store knows of it.
    ///
    /// # Panics
    /// When the id is none.
    pub fn enrolled(&self) -> EnrolledDevice {
        EnrolledDevice { device_id: self.device_id.parse().expect("it is an id"), key: self.key() }
    }

    /// The body by which it asks to be let in.
    pub fn request(&self, code: &str) -> Value {
        json!({ "code": code, "deviceId": self.device_id, "publicKey": self.key() })
    }

    fn key(&self) -> DeviceKey {
        // A point that is not compressed: 0x04, x, y.
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let key = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        serde_json::from_value(key).expect("it is a key")
    }

    /// An assertion that nothing is wrong with.
    pub fn assertion(&self, enrolment: &EnrolmentId, store: StoreId, now: Timestamp) -> String {
        signed(&self.pair, &assertion_header(), &assertion_claims(enrolment, store, now))
    }

    /// An assertion for each way in which one can be wrong.
    pub fn forgeries(&self, enrolment: &EnrolmentId, store: StoreId, now: Timestamp) -> Vec<ForgedAssertion> {
        let claims = || assertion_claims(enrolment, store, now);
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            signed(&self.pair, &assertion_header(), &claims)
        };
        let without = |name: &str| {
            let mut claims = claims();
            claims.as_object_mut().map(|claims| claims.remove(name));
            signed(&self.pair, &assertion_header(), &claims)
        };
        let header = |alg: &str| json!({ "alg": alg, "typ": "JWT" });
        let seconds = now.unix_seconds();
        let own = claims()["aud"].clone();
        let other = "urn:leadlog:store:00000000-0000-4000-8000-000000000000";
        let genuine = self.assertion(enrolment, store, now);
        let spliced = [part(&genuine, 0), part(&with("jti", "x".into()), 1), part(&genuine, 2)].join(".");
        let by_other = Self::new("other").assertion(enrolment, store, now);
        let public = self.pair.public_key().as_ref();
        [
            ("garbage", "garbage".to_owned(), RefusedAssertion::Malformed),
            ("very long", "a.".repeat(1100), RefusedAssertion::Malformed),
            ("another device's key", by_other, RefusedAssertion::Signature),
            ("signature of another", spliced, RefusedAssertion::Signature),
            ("wrong audience", with("aud", other.into()), RefusedAssertion::Audience),
            ("two audiences", with("aud", json!([own, other])), RefusedAssertion::Malformed),
            ("no audience", without("aud"), RefusedAssertion::Malformed),
            ("no end", without("exp"), RefusedAssertion::Malformed),
            ("no id", without("jti"), RefusedAssertion::Malformed),
            ("an empty id", with("jti", "".into()), RefusedAssertion::Malformed),
            ("a long id", with("jti", "x".repeat(65).into()), RefusedAssertion::Malformed),
            ("expired", with("exp", (seconds - 60).into()), RefusedAssertion::Expired),
            ("for an hour", with("exp", (seconds + 3600).into()), RefusedAssertion::TooLong),
            ("another issuer", with("iss", "0000000000000000".into()), RefusedAssertion::Malformed),
            ("unknown", with("sub", "0000000000000000".into()), RefusedAssertion::UnknownDevice),
            ("no subject", with("sub", "iPad 7".into()), RefusedAssertion::Malformed),
            ("alg none", unsigned(&header("none"), &claims()), RefusedAssertion::Malformed),
            ("no signature", unsigned(&header("ES256"), &claims()), RefusedAssertion::Signature),
            (
                "HS256 by the public key",
                authenticated(&header("HS256"), &claims(), public),
                RefusedAssertion::Algorithm,
            ),
            ("ES384", signed(&self.pair, &header("ES384"), &claims()), RefusedAssertion::Algorithm),
        ]
        .map(|(name, text, refusal)| ForgedAssertion { name, text, refusal })
        .into()
    }
}

fn assertion_header() -> Value {
    json!({ "alg": "ES256", "typ": "JWT" })
}

fn assertion_claims(enrolment: &EnrolmentId, store: StoreId, now: Timestamp) -> Value {
    let mut jti = [0; 16];
    crate::secret::fill(&mut jti).expect("the machine has random numbers");
    json!({
        "iss": enrolment, "sub": enrolment, "aud": format!("urn:leadlog:store:{store}"),
        "iat": now.unix_seconds(), "exp": now.unix_seconds() + 60, "jti": URL_SAFE_NO_PAD.encode(jti)
    })
}

fn signed(pair: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).expect("it signs");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// How the public key of a P-256 pair begins as a DER document (RFC 5480).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

fn authenticated(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.", message(header, claims))
}

fn message(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

fn part(token: &str, number: usize) -> &str {
    token.split('.').nth(number).unwrap_or_default()
}
