//! Every route but a few answers nobody without a token for it, and says what is wrong.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use awc::error::PayloadError;
use domain::{Scope, Timestamp};
use futures_util::Stream;
use identity::RefusedToken;
use identity::testing::Forger;
use serde_json::Value;
use time::OffsetDateTime;

use crate::clients::{ask_for_token, registered, token_for};
use crate::server::{Answer, Server};

/// Routes that ask for no token: what a form says, how the store is, and the ways to get a token.
const OPEN: [&str; 9] = [
    "get /api/campaigns/{id}",
    "get /api/health",
    "get /api/sign-in",
    "head /api/health",
    "post /api/devices/enrol",
    "post /api/hubs/enrol",
    "post /api/sign-in",
    "post /api/sign-in/invitation",
    "post /oauth/token",
];

/// Routes that believe a token on what was known a second ago, because nothing leaves the store by them.
const BELIEVE_LATELY: [&str; 2] = ["/api/leads/sync", "/api/leads/check-email"];

/// A route that asks for a token.
struct Guarded {
    method: String,
    path: String,
    /// Each is enough; the first is the one that callers are told.
    scopes: Vec<String>,
}

impl Guarded {
    /// A scope that is enough.
    fn told(&self) -> Scope {
        self.scopes[0].parse().unwrap()
    }
}

/// The routes of the document, and those of them that ask for nothing.
fn routes() -> (Vec<Guarded>, BTreeSet<String>) {
    let document = serde_json::to_value(leadlog::openapi::document()).unwrap();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let (mut guarded, mut open) = (Vec::new(), BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(security) = operation["security"].as_array() else {
                open.insert(format!("{method} {path}"));
                continue;
            };
            let mut scopes = Vec::new();
            for (scheme, needed) in security.iter().flat_map(|way| way.as_object().unwrap()) {
                assert!(schemes.contains_key(scheme), "{scheme} of {path} is described");
                let [scope] = &needed.as_array().unwrap()[..] else { panic!("one scope is enough: {path}") };
                let scope = scope.as_str().unwrap().to_owned();
                if !scopes.contains(&scope) {
                    scopes.push(scope);
                }
            }
            let path =
                path.replace("{format}", "csv").replace("{deviceId}", "ipad-7").replace("{version}", "1");
            guarded.push(Guarded { method: method.clone(), path, scopes });
        }
    }
    (guarded, open)
}

/// What a route answers to these headers `Authorization`, with a body that was not read.
async fn send(
    server: &Server,
    route: &Guarded,
    authorizations: &[&str],
) -> awc::ClientResponse<impl Body + use<>> {
    let url = format!("{}{}", server.address(), route.path);
    let mut request = awc::Client::default().request(route.method.to_uppercase().parse().unwrap(), url);
    for authorization in authorizations {
        request = request.append_header(("authorization", *authorization));
    }
    request.send().await.unwrap()
}

trait Body: Stream<Item = Result<Bytes, PayloadError>> + Unpin {}
impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Body for S {}

fn challenge_of<S>(answer: &awc::ClientResponse<S>) -> Option<String> {
    answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned())
}

/// The same, read.
async fn ask(server: &Server, route: &Guarded, authorizations: &[&str]) -> (u16, Option<String>, Answer) {
    let answer = send(server, route, authorizations).await;
    (answer.status().as_u16(), challenge_of(&answer), Answer::read(answer).await)
}

/// Whether it is the request that is judged, and not who sent it.
async fn lets_in(server: &Server, route: &Guarded, token: &str) -> bool {
    let bearer = format!("Bearer {token}");
    let answer = send(server, route, &[&bearer]).await;
    let (status, challenge) = (answer.status().as_u16(), challenge_of(&answer));
    assert!(challenge.is_none() || matches!(status, 401 | 403), "{} {}: {status}", route.method, route.path);
    challenge.is_none()
}

/// The exact refusal: status, challenge, and as a body the problem with its reason.
async fn assert_refused(
    server: &Server,
    route: &Guarded,
    authorizations: &[&str],
    (status, kind, error, reason): (u16, &str, Option<&str>, &str),
    case: &str,
) {
    let error = error.map(|error| format!("error=\"{error}\", ")).unwrap_or_default();
    let challenge = &format!("Bearer {error}scope=\"{}\"", route.told());
    let (found, told, answer) = ask(server, route, authorizations).await;
    let case = format!("{case}: {} {}", route.method, route.path);
    assert_eq!((found, told.as_ref()), (status, Some(challenge)), "{case}");
    assert_eq!(answer.content_type, "application/problem+json", "{case}");
    if route.method != "head" {
        assert_eq!(answer.json()["type"], format!("urn:leadlog:problem:{kind}"), "{case}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{case}: {detail}");
    }
}

const NO_TOKEN: (u16, &str, Option<&str>, &str) = (401, "no-token", None, "`Authorization: Bearer …`");

const UNREADABLE: (u16, &str, Option<&str>, &str) =
    (400, "unreadable-token", Some("invalid_request"), "one access token");

async fn assert_invalid(server: &Server, route: &Guarded, token: &str, refused: RefusedToken, case: &str) {
    let refusal = (401, "invalid-token", Some("invalid_token"), &*refused.to_string());
    assert_refused(server, route, &[&format!("Bearer {token}")], refusal, case).await;
}

#[test]
fn the_routes_that_ask_for_no_token_are_known() {
    let (guarded, open) = routes();
    assert_eq!(open, OPEN.map(str::to_owned).into());
    let exports = guarded.iter().filter(|route| route.path.starts_with("/api/exports/")).count();
    assert_eq!((exports, guarded.len()), (4, 13));
    // Every scope that anybody has opens something, and none that nobody has does.
    let asked: BTreeSet<String> = guarded.into_iter().flat_map(|route| route.scopes).collect();
    let given = Scope::FOR_PROGRAMS.iter().copied().chain([Scope::Quarantine]);
    assert_eq!(asked, given.map(|scope| scope.to_string()).collect());
}

#[actix_web::test]
async fn no_route_that_asks_for_a_token_answers_without_a_good_one() {
    let (server, other) = (Server::start().await, Server::start().await);
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let forger = Forger::of(&server.pool, server.store.identity().id, now).await;
    let (revoked, secret) = registered(&server, "revoked", "crm capture relay organize").await;
    let of_revoked = token_for(&server.address(), &revoked, &secret).await;
    for route in &routes().0 {
        // Of the backups of iPads a program may give none.
        assert!(lets_in(&server, route, &of_revoked).await || route.method == "put", "before");
    }
    identity::revoke(&server.pool, &revoked).await.unwrap();

    for mut route in routes().0 {
        let scope = route.told();
        let genuine = format!("bearer {}", forger.genuine(scope));
        assert!(lets_in(&server, &route, &forger.genuine(scope)).await, "or the forgeries prove nothing");
        assert_refused(&server, &route, &[], NO_TOKEN, "no token").await;
        assert_refused(&server, &route, &["Basic YTpi"], NO_TOKEN, "another scheme").await;
        assert_refused(&server, &route, &[&genuine, &genuine], UNREADABLE, "two tokens").await;
        assert_refused(&server, &route, &[&genuine, "Basic YTpi"], UNREADABLE, "two credentials").await;
        assert_refused(&server, &route, &["Bearer"], UNREADABLE, "the scheme alone").await;
        assert_refused(&server, &route, &["Bearer  "], UNREADABLE, "an empty token").await;

        for forgery in forger.forgeries(scope) {
            assert_invalid(&server, &route, &forgery.token, forgery.refusal, forgery.name).await;
        }
        let of_another = RefusedToken::UnknownKey;
        assert_invalid(&server, &route, &other.token, of_another, "the token of another store").await;
        until_refused(&server, &route, &of_revoked).await;
        let of_revoked_client = RefusedToken::RevokedClient;
        assert_invalid(&server, &route, &of_revoked, of_revoked_client, "a revoked client").await;

        for scope in Scope::ALL {
            if route.scopes.iter().any(|enough| enough == scope.as_str()) {
                assert!(lets_in(&server, &route, &forger.genuine(scope)).await, "{scope}");
                continue;
            }
            let needed = route.scopes.join(" or ");
            let refusal = (403, "insufficient-scope", Some("insufficient_scope"), &*needed);
            let bearer = format!("Bearer {}", forger.genuine(scope));
            assert_refused(&server, &route, &[&bearer], refusal, scope.as_str()).await;
        }
        // In the query it would stand in the logs of every proxy.
        let path = std::mem::take(&mut route.path);
        route.path = format!("{path}?access_token={}", server.token);
        assert_refused(&server, &route, &[], NO_TOKEN, "a token in the query").await;
        // Who may ask is settled before what is asked.
        for bad in ["?unheard=of", "?campaign=a&campaign=b", "?from=x&device=%ff", "?%"] {
            route.path = format!("{path}{bad}");
            assert_refused(&server, &route, &[], NO_TOKEN, bad).await;
        }
    }
}

/// What was taken back counts at once where something leaves the store, and within a second elsewhere.
async fn until_refused(server: &Server, route: &Guarded, token: &str) {
    let since = Instant::now();
    while BELIEVE_LATELY.contains(&route.path.as_str()) && lets_in(server, route, token).await {
        assert!(since.elapsed() < Duration::from_secs(10), "{}", route.path);
    }
}

/// While it cannot be said who may what, nobody may anything.
#[actix_web::test]
async fn while_the_database_is_away_nobody_is_let_in() {
    let server = Server::start().await;
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let forger = Forger::of(&server.pool, server.store.identity().id, now).await;
    let (name, secret) = registered(&server, "crm-import", "crm").await;
    let of_client = token_for(&server.address(), &name, &secret).await;
    assert!(lets_in(&server, &routes().0[0], &forger.genuine(Scope::Capture)).await);
    drop(server.store.pool().close());
    for route in &routes().0 {
        for token in [&of_client, &server.token, &forger.genuine(route.told())] {
            let bearer = format!("Bearer {token}");
            let since = Instant::now();
            let (status, challenge) = loop {
                let (status, challenge, _) = ask(&server, route, &[&bearer]).await;
                if status == 503 || !BELIEVE_LATELY.contains(&route.path.as_str()) {
                    break (status, challenge);
                }
                assert!(since.elapsed() < Duration::from_secs(10), "{}", route.path);
            };
            assert_eq!((status, challenge), (503, None), "{} {}", route.method, route.path);
        }
        let (status, ..) = ask(&server, route, &["Bearer garbage"]).await;
        assert_eq!(status, 401, "for which nothing has to be asked");
    }
    assert_eq!(ask_for_token(&server.address(), &name, &secret).await.status, 503);
}

/// What is wrong beside the token is not told to who has none.
#[actix_web::test]
async fn whoever_has_no_token_learns_nothing_about_the_store() {
    let server = Server::start().await;
    for path in ["leads.pdf", "leads.csv?device=ipad-7", "contacts.csv?campain=a"] {
        let url = format!("{}/api/exports/{path}", server.address());
        let answer = Answer::read(awc::Client::default().get(url).send().await.unwrap()).await;
        assert_eq!(
            (answer.status, &answer.json()["type"]),
            (401, &Value::from("urn:leadlog:problem:no-token"))
        );
    }
}
