//! The app of another store's origin may call this one, and read every answer; nobody else's may.

use actix_web::http::header::HeaderMap;
use leadlog::http::Settings;

use crate::program::leadlog;
use crate::server::Server;

const HUB: &str = "https://hub-1.local:8443";
const STRANGER: &str = "https://hub-1.local";

async fn server() -> Server {
    Server::start_with(Settings { allowed_origins: vec![HUB.parse().unwrap()], ..Settings::default() }).await
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The names in a header, in lower case.
fn names(headers: &HeaderMap, name: &str) -> Vec<String> {
    let mut names: Vec<String> =
        text(headers, name).split(',').map(|name| name.trim().to_lowercase()).collect();
    names.sort();
    names
}

/// What a browser gets that asks before a request of an app from this origin.
async fn preflight(server: &Server, origin: &str, path: &str, method: &str) -> (u16, HeaderMap) {
    let request = awc::Client::default()
        .request("OPTIONS".parse().unwrap(), format!("{}{path}", server.address()))
        .insert_header(("origin", origin))
        .insert_header(("access-control-request-method", method))
        .insert_header(("access-control-request-headers", "authorization,content-encoding,content-type"));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.headers().clone())
}

#[actix_web::test]
async fn an_app_of_an_origin_that_was_named_may_ask_for_what_it_needs() {
    let server = server().await;
    for (path, method) in [
        ("/api/leads/sync", "POST"),
        ("/oauth/token", "POST"),
        ("/api/devices/ipad-7/backups", "PUT"),
        ("/api/health", "HEAD"),
    ] {
        let (status, told) = preflight(&server, HUB, path, method).await;
        assert_eq!((status, text(&told, "access-control-allow-origin")), (200, HUB), "{path}");
        assert!(names(&told, "access-control-allow-methods").contains(&method.to_lowercase()), "{path}");
        assert_eq!(
            names(&told, "access-control-allow-headers"),
            ["authorization", "content-encoding", "content-type"]
        );
        assert!(names(&told, "vary").contains(&"origin".to_owned()));
        assert_eq!(text(&told, "access-control-max-age"), "3600");
        assert_eq!(text(&told, "access-control-allow-credentials"), "", "tokens are shown, not remembered");
    }
    for (origin, method) in [(STRANGER, "POST"), ("null", "POST"), (HUB, "DELETE")] {
        let (status, told) = preflight(&server, origin, "/api/leads/sync", method).await;
        assert_eq!((status, text(&told, "access-control-allow-origin")), (400, ""), "{origin} {method}");
    }
}

/// A 401 or a 503 that the app may not read would look like no network.
#[actix_web::test]
async fn every_answer_can_be_read_by_such_an_app_and_by_no_other() {
    let server = server().await;
    server.sync(&[]).await;
    let too_large = vec![b' '; domain::MAX_BODY_BYTES + 1];
    let cases: [(&str, &str, Vec<u8>, u16); 7] = [
        ("GET", "/api/health", Vec::new(), 200),
        ("POST", "/api/leads/sync", br#"{"entries":[]}"#.to_vec(), 200),
        ("POST", "/api/leads/sync", b"{".to_vec(), 400),
        ("GET", "/api/campaigns/nowhere", Vec::new(), 404),
        ("GET", "/api/leads/sync", Vec::new(), 405),
        ("OPTIONS", "/api/leads/sync", Vec::new(), 405),
        ("POST", "/api/leads/sync", too_large, 413),
    ];
    for (method, path, body, status) in cases {
        let headers = ask(&server, Some(HUB), (method, path), body.clone(), status).await;
        assert_eq!(text(&headers, "access-control-allow-origin"), HUB, "{method} {path} {status}");
        assert_eq!(
            names(&headers, "access-control-expose-headers"),
            ["date", "etag", "leadlog-store", "leadlog-tier", "retry-after", "www-authenticate"]
        );
        assert!(names(&headers, "vary").contains(&"origin".to_owned()));
        if status == 405 {
            assert_eq!(text(&headers, "allow"), "POST");
        }
        for other in [Some(STRANGER), Some("null"), None] {
            let headers = ask(&server, other, (method, path), body.clone(), status).await;
            assert_eq!(text(&headers, "access-control-allow-origin"), "", "{other:?} {method} {path}");
            assert!(names(&headers, "vary").contains(&"origin".to_owned()), "for caches between them");
        }
    }

    let stranger = awc::Client::default().post(format!("{}/api/leads/sync", server.address()));
    let refused = stranger.insert_header(("origin", HUB)).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    assert_eq!(text(refused.headers(), "access-control-allow-origin"), HUB);
    assert!(text(refused.headers(), "www-authenticate").starts_with("Bearer"));

    let mut statuses = Vec::new();
    for _ in 0..40 {
        let guess = awc::Client::default().post(format!("{}/oauth/token", server.address()));
        let guess = guess.insert_header(("origin", HUB)).basic_auth("crm", "guessed");
        let answer = guess.send_form(&[("grant_type", "client_credentials")]).await.unwrap();
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), HUB);
        statuses.push(answer.status().as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");

    drop(server.store.pool().close());
    let headers = ask(&server, Some(HUB), ("GET", "/api/health"), Vec::new(), 503).await;
    assert_eq!(text(&headers, "access-control-allow-origin"), HUB);
    assert_eq!(text(&headers, "retry-after"), "5");
}

async fn ask(
    server: &Server,
    origin: Option<&str>,
    (method, path): (&str, &str),
    body: Vec<u8>,
    status: u16,
) -> HeaderMap {
    let url = format!("{}{path}", server.address());
    let mut request = server.client().request(method.parse().unwrap(), url);
    if let Some(origin) = origin {
        request = request.insert_header(("origin", origin));
    }
    let answer = request.send_body(body).await.unwrap();
    assert_eq!(answer.status().as_u16(), status, "{method} {path} of {origin:?}");
    answer.headers().clone()
}

#[actix_web::test]
async fn without_any_that_was_named_no_other_app_may_read_anything() {
    let server = Server::start().await;
    let headers = ask(&server, Some(HUB), ("GET", "/api/health"), Vec::new(), 200).await;
    assert_eq!(text(&headers, "access-control-allow-origin"), "");
    let (status, told) = preflight(&server, HUB, "/api/leads/sync", "POST").await;
    assert_eq!((status, text(&told, "allow")), (405, "POST"));
}

#[actix_web::test]
async fn what_is_no_exact_origin_is_refused_at_the_start() {
    for (bad, told) in [
        ("*", "name each by itself"),
        ("null", "name each by itself"),
        ("https://hub-1.local,https://hub-2.local/", "browsers write it https://hub-2.local"),
    ] {
        let said = leadlog("postgres://localhost/nowhere", &["serve", "--allow-origin", bad]).await;
        assert!(!said.is_success && said.error.contains(told), "{}", said.error);
    }
}
