//! `GET /api/leads/check-email` (CAP-4): known or not, never whose.

use domain::Timestamp;
use leadlog::office;
use serde_json::json;

use crate::bad_input::assert_problem;
use crate::server::{Server, lead};

#[actix_web::test]
async fn an_address_is_known_in_every_spelling_and_only_in_its_campaign() {
    let server = Server::start().await;
    server.sync(&[lead(1)]).await;
    let known = async |campaign: &str, email: &str| {
        let answer = server.get(&format!("/api/leads/check-email?campaign={campaign}&email={email}")).await;
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        let known = answer["known"].as_bool().unwrap();
        assert_eq!(answer, json!({ "known": known }), "nothing else is said");
        known
    };
    assert!(known("shootout-2026", "anna1@example.com").await);
    assert!(known("shootout-2026", "%20ANNA1@Example.com").await);
    assert!(!known("shootout-2026", "anna2@example.com").await);
    assert!(!known("another", "anna1@example.com").await);
    let at: Timestamp = "2026-05-24T09:00:00Z".parse().unwrap();
    office::erase(&server.store, lead(1)["clientId"].as_str().unwrap().parse().unwrap(), None, at)
        .await
        .unwrap();
    assert!(!known("shootout-2026", "anna1@example.com").await);
}

#[actix_web::test]
async fn what_is_no_address_is_refused_without_repeating_it() {
    let server = Server::start().await;
    for query in [
        "",
        "?campaign=shootout-2026",
        "?email=anna@example.com",
        "?campaign=shootout-2026&email=anna@",
        "?campaign=a%20b&email=anna@example.com",
        "?campaign=shootout-2026&email=anna@example.com&email=anna@example.com",
        "?campaign=shootout-2026&email=anna%00@example.com",
    ] {
        let answer = server.get(&format!("/api/leads/check-email{query}")).await;
        assert_problem(&answer, 400, "bad-parameter");
        assert!(!String::from_utf8_lossy(&answer.body).contains("anna"), "{query}");
    }
}
