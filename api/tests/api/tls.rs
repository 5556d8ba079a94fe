//! The server over HTTPS, as devices meet it (TIER-6): the real program, and clients that trust what iPads are told to trust.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use event_store::testing::fresh_store;
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, StatusCode};
use tempfile::TempDir;

use crate::program::{Program, free_port, leadlog};

/// A machine that is slow fails no test; one that hangs does.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

/// A place for a server: its database, its folder, and what it logs.
struct Host {
    folder: TempDir,
    database_url: String,
    setup: String,
}

impl Host {
    async fn new() -> Self {
        let (_, database_url) = fresh_store().await;
        let folder = tempfile::tempdir().unwrap();
        Self { folder, database_url, setup: format!("127.0.0.1:{}", free_port()) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, args: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(args).env("DATABASE_URL", &self.database_url);
        let log = fs::OpenOptions::new().create(true).append(true).open(self.file("log")).unwrap();
        Program::start_logging(command, log)
    }

    fn with_own_ca(&self, args: &[&str]) -> Program {
        let folder = self.file("tls");
        let own = ["--tls-own-ca", "--tls-dir", folder.to_str().unwrap(), "--setup-listen", &self.setup];
        self.start(&[&own, args].concat())
    }

    fn with_files(&self) -> Program {
        let (certificate, key) = (self.file("cert.pem"), self.file("key.pem"));
        self.start(&["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()])
    }

    /// Puts a certificate of a machine's own name there, and answers it.
    fn renew(&self) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        fs::write(self.file("cert.pem"), &certificate).unwrap();
        fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        Certificate::from_pem(certificate.as_bytes()).unwrap()
    }

    fn has_logged(&self, words: &str) -> bool {
        fs::read_to_string(self.file("log")).unwrap().contains(words)
    }

    async fn setup(&self, path: &str) -> reqwest::Response {
        Client::new().get(format!("http://{}{path}", self.setup)).send().await.unwrap()
    }

    /// What an iPad downloads and installs.
    async fn ca(&self) -> Certificate {
        let profile = self.setup("/pl/leadlog-hub-2.mobileconfig").await;
        assert_eq!(profile.headers()["content-type"], "application/x-apple-aspen-config");
        let profile = plist::Value::from_reader_xml(&*profile.bytes().await.unwrap()).unwrap();
        let payload = &profile.as_dictionary().unwrap()["PayloadContent"].as_array().unwrap()[0];
        Certificate::from_der(payload.as_dictionary().unwrap()["PayloadContent"].as_data().unwrap()).unwrap()
    }
}

fn socket(server: &Program) -> SocketAddr {
    server.address.strip_prefix("https://").expect("it speaks HTTPS").parse().unwrap()
}

/// A device that trusts this and nothing else, and finds the server by each name.
fn trusting(ca: &Certificate, server: SocketAddr) -> Client {
    let names = ["hub-2.local", "hub.example.com", "bank.example", "localhost"];
    let client = Client::builder().tls_certs_only([ca.clone()]).timeout(Duration::from_secs(20));
    names.iter().fold(client, |client, name| client.resolve(name, server)).build().unwrap()
}

async fn health(client: &Client, host: &str, server: SocketAddr) -> reqwest::Result<reqwest::Response> {
    client.get(format!("https://{host}:{}/api/health", server.port())).send().await
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        actix_web::rt::time::sleep(POLL).await;
    }
}

#[actix_web::test]
async fn an_ipad_with_the_profile_reaches_the_hub_by_name_and_by_address_also_after_a_restart() {
    let host = Host::new().await;
    let named = ["--mdns-name", "hub-2", "--tls-name", "hub.example.com"];
    let server = host.with_own_ca(&named);
    let (at, ca) = (socket(&server), host.ca().await);
    let ipad = trusting(&ca, at);
    for name in ["hub-2.local", "hub.example.com", "localhost", "127.0.0.1"] {
        let answer = health(&ipad, name, at).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        // A browser that heard it would refuse the set-up page, and whoever has the name next.
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
    assert!(health(&ipad, "bank.example", at).await.is_err(), "the certificate is for nobody else");
    assert!(health(&Client::new(), "localhost", at).await.is_err(), "nobody trusts it who has no profile");
    assert!(server.interrupt());

    let server = host.with_own_ca(&named);
    let at = socket(&server);
    assert_eq!(health(&trusting(&ca, at), "hub-2.local", at).await.unwrap().status(), StatusCode::OK);
}

#[actix_web::test]
async fn the_set_up_page_is_all_that_can_be_had_without_tls() {
    let host = Host::new().await;
    let server = host.with_own_ca(&["--mdns-name", "hub-2"]);
    let page = host.setup("/").await;
    assert_eq!(page.headers()["content-language"], "pl");
    let page = page.text().await.unwrap();
    assert!(page.contains("Przygotuj iPada") && page.contains("/pl/leadlog-hub-2.mobileconfig"), "{page}");
    let pem = host.setup("/leadlog-ca.pem").await.text().await.unwrap();
    assert_eq!(pem, fs::read_to_string(host.file("tls/authority/ca.pem")).unwrap());
    for path in [
        "/api/health",
        "/docs/",
        "/openapi.json",
        "/index.html",
        "/leadlog-hub-1.mobileconfig",
        "/issuer.key",
    ] {
        let answer = host.setup(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text().await.unwrap().contains("iPad"), "{path}");
    }
    let plain = Client::new().get(format!("http://{}/api/health", socket(&server))).send().await;
    assert!(plain.is_err(), "HTTPS is spoken there, and nothing else");
}

#[actix_web::test]
async fn a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let host = Host::new().await;
    let first = host.renew();
    let server = host.with_files();
    let at = socket(&server);
    let connected = trusting(&first, at);
    assert!(health(&connected, "localhost", at).await.is_ok());

    let second = host.renew();
    // A new client each time: a connection that lives keeps what it has.
    until("the new certificate", async || health(&trusting(&second, at), "localhost", at).await.is_ok())
        .await;
    assert!(health(&trusting(&first, at), "localhost", at).await.is_err(), "the old one is gone");
    assert!(health(&connected, "localhost", at).await.is_ok(), "who was connected still is");

    fs::write(host.file("cert.pem"), "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    until("word of the broken one", async || host.has_logged("the new certificate is not used")).await;
    assert!(health(&trusting(&second, at), "localhost", at).await.is_ok());

    let third = host.renew();
    until("the third certificate", async || health(&trusting(&third, at), "localhost", at).await.is_ok())
        .await;
}

#[actix_web::test]
async fn what_is_wrong_with_a_certificate_is_said_before_anything_is_served() {
    let host = Host::new().await;
    host.renew();
    let refused = async |certificate: &Path, key: &Path| {
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        let args = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        let said = leadlog(&host.database_url, &args).await;
        assert!(!said.is_success && said.out.is_empty(), "{}", said.out);
        said.error
    };
    let (certificate, key, missing) = (host.file("cert.pem"), host.file("key.pem"), host.file("none.pem"));
    let error = refused(&missing, &key).await;
    assert!(error.contains("none.pem") && error.contains("No such file"), "{error}");
    let error = refused(&certificate, &certificate).await;
    assert!(error.contains("cert.pem") && error.contains("no key in it"), "{error}");
    let key_of_another = KeyPair::generate().unwrap().serialize_pem();
    fs::write(&key, key_of_another).unwrap();
    let error = refused(&certificate, &key).await;
    assert!(error.contains("does not fit"), "{error}");
}

/// Callers are counted by their address, with TLS of one's own as behind a proxy.
#[actix_web::test]
async fn over_tls_each_caller_has_an_address_and_a_trusted_proxy_tells_whose() {
    let host = Host::new().await;
    host.renew();
    let (certificate, key) = (host.file("cert.pem"), host.file("key.pem"));
    let certificates = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = host.start(&[&certificates[..], &["--trusted-proxy", "127.0.0.1"]].concat());
    let at = socket(&server);
    let client = trusting(&Certificate::from_pem(&fs::read(&certificate).unwrap()).unwrap(), at);
    let attempt = async |caller: Option<&str>| {
        let form = [("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "no")];
        let mut request = client.post(format!("https://localhost:{}/oauth/token", at.port())).form(&form);
        if let Some(caller) = caller {
            request = request.header("x-forwarded-for", caller);
        }
        request.send().await.unwrap().status()
    };
    until("too many attempts of one", async || {
        attempt(Some("198.51.100.7")).await == StatusCode::TOO_MANY_REQUESTS
    })
    .await;
    assert_ne!(attempt(Some("198.51.100.8")).await, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(attempt(None).await, StatusCode::TOO_MANY_REQUESTS);
}
