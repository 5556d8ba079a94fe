//! From an invitation to an export, and shut out at once (AUT-1).

use std::sync::Arc;

use domain::ProvidedIdentity;
use identity::{Authority, Identified, Provider, ProviderSettings};
use leadlog::http::Settings;
use serde_json::{Value, json};

use crate::program::leadlog;
use crate::server::{Answer, Server, lead};

async fn run(server: &Server, args: &[&str]) -> String {
    let said = leadlog(&server.database_url, args).await;
    assert!(said.is_success, "{args:?}: {}", said.error);
    said.out
}

async fn invited(server: &Server, name: &str, more: &[&str]) -> Value {
    let args = [&["invite", name, "--json", "--url", "https://leads.example.com"], more].concat();
    serde_json::from_str(&run(server, &args).await).unwrap()
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    let request = awc::Client::default().post(format!("{}{path}", server.address()));
    Answer::read(request.send_json(body).await.unwrap()).await
}

async fn accept(server: &Server, code: &Value) -> Answer {
    post(server, "/api/sign-in/invitation", &json!({ "code": code })).await
}

/// As the app brings it back from a provider.
fn grant() -> Value {
    json!({ "code": "c", "codeVerifier": "v", "redirectUri": "https://x/signed-in", "nonce": "n" })
}

async fn export(server: &Server, token: &str) -> Answer {
    let request = awc::Client::default().get(format!("{}/api/exports/leads.ndjson", server.address()));
    Answer::read(request.bearer_auth(token).send().await.unwrap()).await
}

fn is_problem(answer: &Answer, status: u16, kind: &str) -> bool {
    answer.status == status && answer.json()["type"] == format!("urn:leadlog:problem:{kind}")
}

#[actix_web::test]
async fn an_invited_organizer_takes_leads_out_until_shut_out() {
    let server = Server::start().await;
    server.ask(json!({ "entries": [lead(1)] })).await;
    let invitation = invited(&server, "Ewa Nowak", &["--scope", "organize,crm"]).await;
    let link = invitation["link"].as_str().unwrap();
    assert_eq!(link, format!("https://leads.example.com/#invite={}", invitation["code"].as_str().unwrap()));
    let listed: Value = serde_json::from_str(&run(&server, &["people", "list", "--json"]).await).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["firstSeenAt"]), (&json!("Ewa Nowak"), &Value::Null));

    let answer = accept(&server, &invitation["code"]).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let said = answer.json();
    assert_eq!((&said["person"]["name"], &said["scope"]), (&json!("Ewa Nowak"), &json!("organize crm")));
    assert_eq!((&said["person"]["id"], &said["expiresIn"]), (&invitation["personId"], &json!(43_200)));
    let token = said["accessToken"].as_str().unwrap().to_owned();
    let taken = export(&server, &token).await;
    assert_eq!((taken.status, String::from_utf8_lossy(&taken.body).lines().count()), (200, 1));
    assert!(is_problem(&accept(&server, &invitation["code"]).await, 403, "invalid-code"));

    let said = run(&server, &["people", "revoke", "Ewa Nowak"]).await;
    assert!(said.starts_with("Ewa Nowak is shut out (person "), "{said}");
    let refused = export(&server, &token).await;
    assert!(is_problem(&refused, 401, "invalid-token"), "{}", refused.json());
    assert!(refused.json()["detail"].as_str().unwrap().contains("its person was shut out"));
    let again = leadlog(&server.database_url, &["people", "readmit", "Ewa Nowak"]).await;
    assert!(!again.is_success && again.error.contains("`leadlog invite` makes another"), "{}", again.error);
    assert!(run(&server, &["people", "list"]).await.contains("shut out"));
}

#[actix_web::test]
async fn a_code_that_is_none_lets_nobody_in_and_cannot_be_guessed() {
    let server = Server::start().await;
    let taken_back = invited(&server, "Ola", &[]).await;
    assert!(run(&server, &["people", "revoke", "Ola"]).await.contains("works no longer"));
    assert!(is_problem(&accept(&server, &taken_back["code"]).await, 403, "invalid-code"));
    let good = invited(&server, "Ela", &[]).await;
    let mut answer = accept(&server, &json!("7K3QF0-XW2A9")).await;
    while answer.status == 403 {
        assert!(is_problem(&answer, 403, "invalid-code"));
        answer = accept(&server, &json!("7K3QF0-XW2A9")).await;
    }
    assert!(is_problem(&answer, 429, "too-many-requests"), "{}", answer.json());
    // Who has a good one comes in, whoever else guesses from the same address.
    assert_eq!(accept(&server, &good["code"]).await.status, 200);
    assert_eq!(accept(&server, &json!(7)).await.status, 400);
}

/// The answer that holds the token may be lost on the way.
#[actix_web::test]
async fn the_browser_that_used_an_invitation_may_ask_again() {
    let server = Server::start().await;
    let code = invited(&server, "Ela", &[]).await["code"].clone();
    let accept = async |attempt: &str| {
        post(&server, "/api/sign-in/invitation", &json!({ "code": code, "attempt": attempt })).await
    };
    let (own, other) = ("a".repeat(43), "b".repeat(43));
    for _ in 0..2 {
        let answer = accept(&own).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        assert_eq!(export(&server, answer.json()["accessToken"].as_str().unwrap()).await.status, 200);
    }
    assert!(is_problem(&accept(&other).await, 403, "invalid-code"));
    assert!(is_problem(&accept("guessable").await, 400, "not-json"));
}

/// Whoever tries without end from one address does not make the server ask the provider without end.
#[actix_web::test]
async fn a_provider_that_is_away_is_named_and_asked_no_more_often_than_an_address_may_try() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = ProviderSettings {
        issuer: format!("http://{closed}"),
        client_id: "leadlog".to_owned(),
        client_secret: None,
        scope: "openid".to_owned(),
        scopes_claim: "roles".to_owned(),
    };
    let server = Server::start_as(Settings::default(), |pool| {
        Some(Arc::new(Provider::new(settings, pool.clone()).unwrap()))
    })
    .await;
    assert!(is_problem(&server.get("/api/sign-in").await, 503, "unavailable"));
    let mut answer = post(&server, "/api/sign-in", &grant()).await;
    let mut tries = 1;
    while answer.status == 503 {
        assert!(is_problem(&answer, 503, "unavailable"), "{}", answer.json());
        answer = post(&server, "/api/sign-in", &grant()).await;
        tries += 1;
    }
    assert!(is_problem(&answer, 429, "too-many-requests"), "{}", answer.json());
    assert!(tries > 30, "{tries}");
    // It is not the provider's fault that somebody is invited.
    let invitation = invited(&server, "Ela", &[]).await;
    assert_eq!(accept(&server, &invitation["code"]).await.status, 200);
}

/// A name is what anybody may have.
#[actix_web::test]
async fn of_several_people_of_a_name_one_is_let_in_again_by_id() {
    let server = Server::start().await;
    for subject in ["1", "2"] {
        let identity = ProvidedIdentity {
            issuer: "https://login.example.com".to_owned(),
            subject: subject.to_owned(),
            name: "Ola".parse().unwrap(),
        };
        let authority = Authority::new(server.store.log().clone(), server.store.identity().id);
        authority.sign_in(Identified { identity, scopes: None }).await.unwrap();
    }
    assert_eq!(run(&server, &["people", "revoke", "Ola"]).await.lines().count(), 2);
    let refused = leadlog(&server.database_url, &["people", "readmit", "Ola"]).await;
    assert!(
        !refused.is_success && refused.error.contains("2 people of the name Ola; say which by the id"),
        "{}",
        refused.error
    );
    let listed: Value = serde_json::from_str(&run(&server, &["people", "list", "--json"]).await).unwrap();
    let id = listed[0]["personId"].as_str().unwrap();
    assert!(refused.error.contains(id), "{}", refused.error);
    run(&server, &["people", "readmit", id]).await;
    // One of them is in, and has nothing to do with the other.
    let refused = leadlog(&server.database_url, &["people", "readmit", "Ola"]).await;
    assert!(!refused.is_success && !refused.error.contains(id), "{}", refused.error);
}

#[actix_web::test]
async fn a_server_without_a_provider_says_so() {
    let server = Server::start().await;
    let ways = server.get("/api/sign-in").await;
    assert_eq!((ways.status, ways.json()), (200, json!({ "provider": null })));
    assert!(is_problem(&post(&server, "/api/sign-in", &grant()).await, 404, "not-found"));
}
