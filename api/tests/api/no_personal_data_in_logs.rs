//! Invariant 12, on the real program: whatever it is told to log, it logs no personal data.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use identity::SECRET_PREFIX;
use identity::testing::KeyedDevice;
use serde_json::json;

use crate::backups::snapshot;
use crate::bad_input::gzip;
use crate::program::{DataDir, Program, free_port};
use crate::server::{lead, lead_with};

/// Words that stand in what is sent, and must stand nowhere in the log.
const PERSONAL: [&str; 4] = ["secretina", "anna1@", "anna1%40", "+48501502503"];

/// Gets a token for a secret in every way, uses it, and answers what of all that nobody may read.
async fn use_secrets(client: &awc::Client, address: &str, data: &Path) -> Vec<String> {
    let run = async |args: &'static [&'static str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
        command.args(args).arg("--data-dir").arg(data).env_remove("DATABASE_URL");
        let output = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = run(&["clients", "add", "crm-import", "--scope", "crm"]).await;
    let secret = shown.split_whitespace().find(|word| word.starts_with(SECRET_PREFIX)).unwrap().to_owned();
    let url = format!("{address}/oauth/token");
    let grant = ("grant_type", "client_credentials");
    let in_body = [grant, ("client_id", "crm-import"), ("client_secret", &secret)];
    let mut answer = client.post(&url).send_form(&in_body).await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    let mut tokens = vec![answer["access_token"].as_str().unwrap().to_owned()];
    tokens.push(run(&["tokens", "issue", "--scope", "crm"]).await.trim_end().to_owned());
    for (name, shown) in [("crm-import", secret.as_str()), ("crm-import", &secret[1..]), (&secret, "x")] {
        client.post(&url).basic_auth(name, shown).send_form(&[grant]).await.unwrap();
    }
    for token in &tokens {
        for shown in [token.as_str(), &token[1..]] {
            let export = client.get(format!("{address}/api/exports/leads.csv?from=2026-01-01T00:00:00Z"));
            export.bearer_auth(shown).send().await.unwrap();
        }
    }
    let basic = STANDARD.encode(format!("crm-import:{secret}"));
    let signatures = tokens.iter().map(|token| token.rsplit('.').next().unwrap().to_owned());
    [secret[SECRET_PREFIX.len() + 9..].to_owned(), basic[20..].to_owned()]
        .into_iter()
        .chain(signatures)
        .collect()
}

/// Lets a device in, and answers what of that nobody may read.
async fn use_device(client: &awc::Client, address: &str, data: &Path) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadlog"));
    command.args(["devices", "enrol", "iPad 7", "--json", "--data-dir"]).arg(data).env_remove("DATABASE_URL");
    let output = actix_web::web::block(move || command.output().unwrap()).await.unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = shown["code"].as_str().unwrap().to_owned();
    let device = KeyedDevice::new("ipad-7");
    let url = format!("{address}/api/devices/enrol");
    let mut bad = device.request(&code);
    bad["publicKey"] = code.as_str().into();
    client.post(&url).send_json(&bad).await.unwrap();
    client.post(&url).send_json(&device.request(&code[1..])).await.unwrap();
    let answer: serde_json::Value =
        client.post(&url).send_json(&device.request(&code)).await.unwrap().json().await.unwrap();
    let id = |name: &str| answer[name].as_str().unwrap().to_owned();
    let now = domain::Timestamp::new(time::OffsetDateTime::now_utc());
    let assertion =
        device.assertion(&id("enrolmentId").parse().unwrap(), id("storeId").parse().unwrap(), now);
    let mut secrets = vec![code, assertion.rsplit('.').next().unwrap().to_owned()];
    for assertion in [&assertion, &assertion[1..]] {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
        ];
        let request = awc::Client::default().post(format!("{address}/oauth/token"));
        let answer: serde_json::Value = request.send_form(&form).await.unwrap().json().await.unwrap();
        secrets.extend(
            answer["access_token"].as_str().map(|token| token.rsplit('.').next().unwrap().to_owned()),
        );
    }
    assert_eq!(secrets.len(), 3, "it got a token");
    secrets
}

#[actix_web::test]
async fn nothing_that_was_sent_stands_in_the_log() {
    let data = DataDir::new();
    let log = data.path().with_file_name("log");
    let program = Program::serve_tracing(&data.path(), &format!("127.0.0.1:{}", free_port()), &log);
    let address = program.address.clone();
    let token = Program::token(&data.path(), "capture,organize").await;
    let client = awc::Client::builder().timeout(Duration::from_secs(60)).bearer_auth(&token).finish();

    let good = lead_with(1, |lead| lead["contact"]["firstName"] = "Secretina".into());
    let bad = lead_with(2, |lead| lead["contact"]["phone"] = "Secretina".into());
    let sync = json!({ "entries": [good, bad] }).to_string();
    for body in [sync.clone(), sync.replace("\"entries\"", "\"sender\":\"Secretina Nowak\",\"entries\"")] {
        client.post(format!("{address}/api/leads/sync")).send_body(body).await.unwrap();
    }
    for query in
        ["anna1%40example.com", "anna1@example.com", "Secretina", "anna1@example.com&email=Secretina"]
    {
        let url = format!("{address}/api/leads/check-email?campaign=shootout-2026&email={query}");
        client.get(url).send().await.unwrap();
    }
    let backup = snapshot("ipad-7", &[good.clone(), lead(1)]).to_string();
    let url = format!("{address}/api/devices/ipad-7/backups");
    for body in [backup.clone(), backup.replace("\"ipad-7\"", "\"Secretina Nowak\""), backup[1..].to_owned()]
    {
        client.put(&url).send_body(body).await.unwrap();
    }
    client
        .put(&url)
        .insert_header(("content-encoding", "gzip"))
        .send_body(gzip(backup.as_bytes()))
        .await
        .unwrap();
    for path in ["", "/1"] {
        client.get(format!("{url}{path}")).send().await.unwrap();
    }
    client.get(format!("{address}/api/nothing?email=anna1@example.com")).send().await.unwrap();
    let mut secrets = vec![token.rsplit('.').next().unwrap().to_owned()];
    secrets.extend(use_device(&client, &address, &data.path()).await);
    secrets.extend(use_secrets(&awc::Client::default(), &address, &data.path()).await);
    assert!(program.interrupt());

    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("/api/leads/check-email"), "the log is that of these requests: {log}");
    assert!(!log.contains('\u{1b}'), "a file is not coloured");
    // Who took leads out, and how: of filters the names alone.
    let taken = log.lines().filter(|line| line.contains("leads are taken out")).collect::<Vec<_>>();
    for caller in ["client:crm-import", "admin:admin"] {
        let line =
            taken.iter().find(|line| line.contains(caller)).unwrap_or_else(|| panic!("{caller}: {log}"));
        assert!(line.contains("/api/exports/leads.csv") && line.contains("filters=\"from\""), "{line}");
        assert!(line.contains("rows=") && !line.contains("2026-01-01T"), "{line}");
    }
    assert!(log.contains("an API client was refused: its secret is not known") && log.contains("crm-import"));
    for line in log.lines() {
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "{line}");
        let line = line.to_lowercase();
        assert!(PERSONAL.iter().all(|word| !line.contains(word)), "{line}");
    }
}
