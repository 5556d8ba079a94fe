//! Routes that hand out leads and contacts in bulk answer nobody without a token for it, and say what is wrong.

use std::collections::BTreeSet;

use domain::{Scope, Timestamp};
use identity::RefusedToken;
use identity::testing::Forger;
use serde_json::Value;
use time::OffsetDateTime;

use crate::clients::{ask_for_token, registered, token_for};
use crate::server::{Answer, Server};

/// Routes that ask for no token. All but `/oauth/token`, the campaigns and health wait for the enrolment of devices.
const OPEN: [&str; 10] = [
    "get /api/backups",
    "get /api/campaigns/{id}",
    "get /api/devices/{deviceId}/backups",
    "get /api/devices/{deviceId}/backups/{version}",
    "get /api/health",
    "get /api/leads/check-email",
    "head /api/health",
    "post /api/leads/sync",
    "post /oauth/token",
    "put /api/devices/{deviceId}/backups",
];

/// A route that asks for a token.
struct Guarded {
    method: String,
    path: String,
    /// Each is enough.
    scopes: BTreeSet<String>,
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
            let mut scopes = BTreeSet::new();
            for (scheme, needed) in security.iter().flat_map(|way| way.as_object().unwrap()) {
                assert!(schemes.contains_key(scheme), "{scheme} of {path} is described");
                let [scope] = &needed.as_array().unwrap()[..] else { panic!("one scope is enough: {path}") };
                scopes.insert(scope.as_str().unwrap().to_owned());
            }
            guarded.push(Guarded { method: method.clone(), path: path.replace("{format}", "csv"), scopes });
        }
    }
    (guarded, open)
}

/// What a route answers to these headers `Authorization`.
async fn ask(server: &Server, route: &Guarded, authorizations: &[&str]) -> (u16, Option<String>, Answer) {
    let url = format!("{}{}", server.address(), route.path);
    let mut request = awc::Client::default().request(route.method.to_uppercase().parse().unwrap(), url);
    for authorization in authorizations {
        request = request.append_header(("authorization", *authorization));
    }
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), challenge, Answer::read(answer).await)
}

/// The exact refusal: status, challenge, and as a body the problem with its reason.
async fn assert_refused(
    server: &Server,
    route: &Guarded,
    authorizations: &[&str],
    (status, kind, challenge, reason): (u16, &str, &str, &str),
    case: &str,
) {
    let (found, told, answer) = ask(server, route, authorizations).await;
    let case = format!("{case}: {} {}", route.method, route.path);
    assert_eq!((found, told.as_deref()), (status, Some(challenge)), "{case}");
    assert_eq!(answer.content_type, "application/problem+json", "{case}");
    if route.method != "head" {
        assert_eq!(answer.json()["type"], format!("urn:leadlog:problem:{kind}"), "{case}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{case}: {detail}");
    }
}

const NO_TOKEN: (u16, &str, &str, &str) =
    (401, "no-token", r#"Bearer scope="crm""#, "`Authorization: Bearer …`");

const UNREADABLE: (u16, &str, &str, &str) =
    (400, "unreadable-token", r#"Bearer error="invalid_request", scope="crm""#, "one access token");

fn invalid(refused: RefusedToken) -> (u16, &'static str, &'static str, String) {
    (401, "invalid-token", r#"Bearer error="invalid_token", scope="crm""#, refused.to_string())
}

async fn assert_invalid(server: &Server, route: &Guarded, token: &str, refused: RefusedToken, case: &str) {
    let (status, kind, challenge, reason) = invalid(refused);
    let authorization = format!("Bearer {token}");
    assert_refused(server, route, &[&authorization], (status, kind, challenge, &reason), case).await;
}

#[test]
fn the_routes_that_ask_for_no_token_are_known() {
    let (guarded, open) = routes();
    assert_eq!(open, OPEN.map(str::to_owned).into());
    let exports = guarded.iter().filter(|route| route.path.starts_with("/api/exports/")).count();
    assert_eq!(exports, 4);
    // Nobody can be given a scope that no route asks for, and every other one.
    let asked: BTreeSet<String> = guarded.into_iter().flat_map(|route| route.scopes).collect();
    assert_eq!(asked, Scope::GRANTABLE.map(|scope| scope.to_string()).into());
}

#[actix_web::test]
async fn no_route_that_asks_for_a_token_answers_without_a_good_one() {
    let (server, other) = (Server::start().await, Server::start().await);
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let forger = Forger::of(&server.pool, server.store.identity().id, now).await;
    let (revoked, secret) = registered(&server, "revoked", "crm").await;
    let of_revoked = token_for(&server.address(), &revoked, &secret).await;
    for route in &routes().0 {
        assert_eq!(ask(&server, route, &[&format!("Bearer {of_revoked}")]).await.0, 200, "before");
    }
    identity::revoke(&server.pool, &revoked).await.unwrap();

    for mut route in routes().0 {
        let genuine = format!("bearer {}", forger.genuine(Scope::Crm));
        assert_eq!(ask(&server, &route, &[&genuine]).await.0, 200, "or the forgeries prove nothing");
        assert_refused(&server, &route, &[], NO_TOKEN, "no token").await;
        assert_refused(&server, &route, &["Basic YTpi"], NO_TOKEN, "another scheme").await;
        assert_refused(&server, &route, &[&genuine, &genuine], UNREADABLE, "two tokens").await;
        assert_refused(&server, &route, &[&genuine, "Basic YTpi"], UNREADABLE, "two credentials").await;
        assert_refused(&server, &route, &["Bearer"], UNREADABLE, "the scheme alone").await;
        assert_refused(&server, &route, &["Bearer  "], UNREADABLE, "an empty token").await;

        for forgery in forger.forgeries(Scope::Crm) {
            assert_invalid(&server, &route, &forgery.token, forgery.refusal, forgery.name).await;
        }
        let of_another = RefusedToken::UnknownKey;
        assert_invalid(&server, &route, &other.token, of_another, "the token of another store").await;
        let of_revoked_client = RefusedToken::RevokedClient;
        assert_invalid(&server, &route, &of_revoked, of_revoked_client, "a revoked client").await;

        for scope in Scope::ALL {
            let bearer = format!("Bearer {}", forger.genuine(scope));
            if route.scopes.contains(scope.as_str()) {
                assert_eq!(ask(&server, &route, &[&bearer]).await.0, 200, "{scope}");
                continue;
            }
            let challenge = r#"Bearer error="insufficient_scope", scope="crm""#;
            let refusal = (403, "insufficient-scope", challenge, "crm or organize");
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

/// While it cannot be said who may what, nobody may anything.
#[actix_web::test]
async fn while_the_database_is_away_nobody_is_let_in() {
    let server = Server::start().await;
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let forger = Forger::of(&server.pool, server.store.identity().id, now).await;
    let (name, secret) = registered(&server, "crm-import", "crm").await;
    let token = token_for(&server.address(), &name, &secret).await;
    for route in &routes().0 {
        assert_eq!(ask(&server, route, &[&format!("Bearer {token}")]).await.0, 200);
    }
    server.store.pool().close().await;
    for route in &routes().0 {
        for token in [&token, &server.token, &forger.genuine(Scope::Organize)] {
            let (status, challenge, _) = ask(&server, route, &[&format!("Bearer {token}")]).await;
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
