//! `POST /oauth/token` as RFC 6749 has it: what it answers, in which words, and how often.

use awc::http::StatusCode;
use serde_json::Value;

use crate::clients::{registered, token_for};
use crate::server::{Answer, Server};

const GRANT: &str = "grant_type=client_credentials";

/// An answer with the headers that matter here.
struct Told {
    status: u16,
    challenge: Option<String>,
    retry_after_s: Option<u64>,
    is_stored: bool,
    answer: Answer,
}

async fn post(server: &Server, body: String, authorization: Option<String>, content_type: &str) -> Told {
    let mut request = awc::Client::default().post(format!("{}/oauth/token", server.address()));
    if let Some(authorization) = authorization {
        request = request.insert_header(("authorization", authorization));
    }
    told(request, &body, content_type).await
}

async fn told(request: awc::ClientRequest, body: &str, content_type: &str) -> Told {
    let request = request.insert_header(("content-type", content_type));
    let answer = request.send_body(body.to_owned()).await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    Told {
        status: answer.status().as_u16(),
        challenge: header("www-authenticate"),
        retry_after_s: header("retry-after").map(|seconds| seconds.parse().unwrap()),
        is_stored: header("cache-control").as_deref() != Some("no-store"),
        answer: Answer::read(answer).await,
    }
}

async fn form(server: &Server, body: &str, authorization: Option<String>) -> Told {
    post(server, body.to_owned(), authorization, "application/x-www-form-urlencoded").await
}

fn basic(name: &str, secret: &str) -> Option<String> {
    use base64::Engine;
    let pair = format!("{name}:{secret}");
    Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

fn assert_error(told: &Told, status: StatusCode, error: &str, case: &str) {
    let body = told.answer.json();
    assert_eq!((told.status, &body["error"]), (status.as_u16(), &Value::from(error)), "{case}: {body}");
    assert_eq!(told.answer.content_type, "application/json", "{case}");
    assert!(!told.is_stored, "{case}");
    let description = body["error_description"].as_str().unwrap();
    let is_allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    assert!(!description.is_empty() && description.chars().all(is_allowed), "{case}: {description}");
    let challenge = told.challenge.as_deref().is_some_and(|challenge| challenge.starts_with("Basic realm="));
    assert_eq!(challenge, status == StatusCode::UNAUTHORIZED, "{case}");
}

#[actix_web::test]
async fn a_token_is_answered_as_the_rfc_has_it() {
    let server = Server::start().await;
    let (name, secret) = registered(&server, "crm-import", "crm organize").await;
    let in_body = format!("{GRANT}&client_id={name}&client_secret={secret}");
    let encoded = secret.replace('_', "%5F");
    for (body, authorization, scope) in [
        (GRANT, basic("crm-import", &secret), "organize crm"),
        (GRANT, basic("crm%2Dimport", &encoded), "organize crm"),
        (&in_body, None, "organize crm"),
        (&format!("{in_body}&scope=crm&audience=x"), None, "crm"),
        (&format!("{GRANT}&scope="), basic("crm-import", &secret), "organize crm"),
        (
            &format!("{GRANT}&scope=crm+organize&client_id={name}"),
            basic("crm-import", &secret),
            "organize crm",
        ),
    ] {
        let told = form(&server, body, authorization).await;
        let answer = told.answer.json();
        assert_eq!((told.status, &answer["scope"]), (200, &Value::from(scope)), "{answer}");
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"Bearer".into(), &900.into()));
        assert!(!told.is_stored && told.answer.content_type == "application/json");
    }
}

#[actix_web::test]
async fn every_mistake_has_the_error_of_the_rfc() {
    let server = Server::start().await;
    let (name, secret) = registered(&server, "crm-import", "crm").await;
    let good = || basic("crm-import", &secret);
    let other = "leadlog_secret_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (body, authorization, status, error) in [
        ("".to_owned(), good(), 400, "invalid_request"),
        ("grant_type=".to_owned(), good(), 400, "invalid_request"),
        (format!("{GRANT}&{GRANT}"), good(), 400, "invalid_request"),
        ("grant_type=password&username=a&password=b".to_owned(), good(), 400, "unsupported_grant_type"),
        (format!("{GRANT}&scope=admin"), good(), 400, "invalid_scope"),
        (format!("{GRANT}&scope=crm&scope=crm"), good(), 400, "invalid_request"),
        (format!("{GRANT}&scope=&scope=crm"), good(), 400, "invalid_request"),
        (format!("{GRANT}&scope=operate"), good(), 400, "invalid_scope"),
        (format!("{GRANT}&client_id={name}&client_secret={secret}"), good(), 400, "invalid_request"),
        (format!("{GRANT}&client_id=other"), good(), 400, "invalid_request"),
        (GRANT.to_owned(), None, 401, "invalid_client"),
        (format!("{GRANT}&client_id={name}"), None, 401, "invalid_client"),
        (format!("{GRANT}&client_id={name}&client_secret={other}"), None, 401, "invalid_client"),
        (GRANT.to_owned(), basic("crm-import", other), 401, "invalid_client"),
        (GRANT.to_owned(), basic("nobody", &secret), 401, "invalid_client"),
        (GRANT.to_owned(), Some("Basic !".to_owned()), 401, "invalid_client"),
        (GRANT.to_owned(), Some("Basic".to_owned()), 401, "invalid_client"),
        (GRANT.to_owned(), Some(format!("Bearer {}", server.token)), 401, "invalid_client"),
        (format!("{GRANT}&padding={}", "x".repeat(4096)), good(), 400, "invalid_request"),
    ] {
        let told = form(&server, &body, authorization).await;
        assert_error(&told, StatusCode::from_u16(status).unwrap(), error, &body[..body.len().min(80)]);
    }
    for content_type in ["application/json", "text/plain", ""] {
        let told = post(&server, GRANT.to_owned(), good(), content_type).await;
        assert_error(&told, StatusCode::BAD_REQUEST, "invalid_request", content_type);
    }
    let url = format!("{}/oauth/token", server.address());
    let twice = awc::Client::default().post(url);
    let twice = (0..2).fold(twice, |request, _| request.append_header(("authorization", good().unwrap())));
    let answer = Answer::read(twice.send_form(&[("grant_type", "client_credentials")]).await.unwrap()).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_request".into()));
    // Whether a client exists is not told.
    let [unknown, wrong] =
        [form(&server, GRANT, basic("nobody", other)), form(&server, GRANT, basic("crm-import", other))]
            .map(async |told| told.await.answer.body);
    assert_eq!(unknown.await, wrong.await);
}

#[actix_web::test]
async fn whoever_asks_too_often_is_told_when_to_come_back_and_nobody_else_waits() {
    let server = Server::start().await;
    let (name, secret) = registered(&server, "crm-import", "crm").await;
    let mut answered = 0;
    let told = loop {
        // Whatever a caller says of the way that it came.
        let url = format!("{}/oauth/token", server.address());
        let request = awc::Client::default().post(url);
        let request = request.insert_header(("x-forwarded-for", format!("192.0.2.{}", answered % 256)));
        let request = request.insert_header(("forwarded", format!("for=192.0.2.{}", answered % 256)));
        let told = told(request, "", "application/x-www-form-urlencoded").await;
        if told.status == 429 {
            break told;
        }
        answered += 1;
        assert!(answered < 1000, "there is an end");
    };
    assert!(answered >= 30, "{answered}");
    assert_eq!(told.answer.json()["type"], "urn:leadlog:problem:too-many-requests");
    assert!(!told.is_stored);
    assert_eq!(server.get("/api/exports/leads.csv").await.status, 200);
    // It is let in again after the time that it was told.
    actix_web::rt::time::sleep(std::time::Duration::from_secs(told.retry_after_s.unwrap())).await;
    token_for(&server.address(), &name, &secret).await;
}
