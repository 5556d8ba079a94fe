//! Callers behind a trusted proxy are told apart by what it says of them, and by nothing that they say themselves.

use leadlog::http::Settings;

use crate::program::leadlog;
use crate::server::Server;

/// Statuses of 40 guesses in a row, each said to come from another address by whoever sends it, and from `met` by the
/// proxy.
async fn guesses(server: &Server, met: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for number in 0..40 {
        let guess = awc::Client::default().post(format!("{}/oauth/token", server.address()));
        let guess = guess.insert_header(("x-forwarded-for", format!("203.0.113.{number}, {met}")));
        // A guess without a client costs an attempt, and no time.
        let guess = guess.insert_header(("content-type", "application/x-www-form-urlencoded"));
        statuses.push(guess.send_body("").await.unwrap().status().as_u16());
    }
    statuses
}

#[actix_web::test]
async fn whoever_guesses_behind_a_trusted_proxy_shuts_out_nobody_else_there() {
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let server = Server::start_with(Settings { trusted_proxies, ..Settings::default() }).await;
    assert!(guesses(&server, "198.51.100.7").await.contains(&429), "whatever it writes itself");
    assert_eq!(guesses(&server, "198.51.100.8").await[..20], [401; 20], "another one");
}

#[actix_web::test]
async fn nobody_else_is_believed() {
    let server = Server::start().await;
    assert!(guesses(&server, "198.51.100.7").await.contains(&429));
    assert!(guesses(&server, "198.51.100.8").await[..5].contains(&429), "the same connection");
}

#[actix_web::test]
async fn what_is_no_proxy_is_refused_at_the_start() {
    for (bad, told) in [("proxy.local", "an IP address or a network"), ("0.0.0.0/0", "everybody")] {
        let said = leadlog("postgres://localhost/nowhere", &["serve", "--trusted-proxy", bad]).await;
        assert!(!said.is_success && said.error.contains(told), "{}", said.error);
    }
}
