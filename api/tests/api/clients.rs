//! `leadlog clients` and `leadlog tokens`: from the command line to the export, and out again.

use domain::ApiClientId;
use serde_json::Value;

use crate::program::{Program, Said, leadlog};
use crate::server::{Answer, Server};

/// Registers a client beside the command line, and answers its secret.
pub(crate) async fn registered(server: &Server, name: &str, scopes: &str) -> (ApiClientId, String) {
    let name: ApiClientId = name.parse().unwrap();
    let secret = identity::register(&server.pool, &name, scopes.parse().unwrap()).await.unwrap();
    (name, secret.reveal().to_owned())
}

/// Asks a server for a token.
pub(crate) async fn ask_for_token(address: &str, name: &ApiClientId, secret: &str) -> Answer {
    let request = awc::Client::default().post(format!("{address}/oauth/token")).basic_auth(name, secret);
    Answer::read(request.send_form(&[("grant_type", "client_credentials")]).await.unwrap()).await
}

/// The token that a server gives.
pub(crate) async fn token_for(address: &str, name: &ApiClientId, secret: &str) -> String {
    let answer = ask_for_token(address, name, secret).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn clients(server: &Server, args: &[&str]) -> Said {
    leadlog(&server.database_url, &[&["clients"], args].concat()).await
}

async fn done(server: &Server, args: &[&str]) -> String {
    let said = clients(server, args).await;
    assert!(said.is_success, "{args:?}: {}{}", said.out, said.error);
    said.out
}

async fn refused(server: &Server, args: &[&str], told: &str) {
    let said = clients(server, args).await;
    assert!(!said.is_success && said.error.contains(told), "{args:?}: {}{}", said.out, said.error);
}

fn secret_in(out: &str) -> &str {
    let secret = out.split_whitespace().find(|word| word.starts_with(identity::SECRET_PREFIX));
    secret.expect("the secret is shown")
}

async fn export_status(address: &str, token: &str) -> u16 {
    let request = awc::Client::default().get(format!("{address}/api/exports/contacts.csv"));
    request.bearer_auth(token).send().await.unwrap().status().as_u16()
}

async fn listed(server: &Server) -> Value {
    serde_json::from_str(&done(server, &["list", "--json"]).await).unwrap()
}

#[actix_web::test]
async fn a_crm_gets_in_changes_its_secret_without_a_pause_and_is_shut_out_everywhere_at_once() {
    let server = Server::start().await;
    let other = Program::serve_on(&server.database_url);
    let addresses = [server.address(), other.address.clone()];
    let name: ApiClientId = "crm-import".parse().unwrap();
    assert!(done(&server, &["list"]).await.contains("leadlog clients add"));

    let out = done(&server, &["add", "crm-import", "--scope", "crm"]).await;
    let first = secret_in(&out).to_owned();
    let held = token_for(&addresses[0], &name, &first).await;
    for address in &addresses {
        assert_eq!(export_status(address, &held).await, 200, "a token counts in every process of its store");
    }

    let second = secret_in(&done(&server, &["rotate", "crm-import"]).await).to_owned();
    for (address, secret) in addresses.iter().flat_map(|address| [(address, &first), (address, &second)]) {
        token_for(address, &name, secret).await;
    }
    let told = "all with --keep-old-for 0s, or one with `leadlog clients revoke crm-import --secret ID`";
    refused(&server, &["rotate", "crm-import"], told).await;
    assert_eq!(listed(&server).await[0]["secrets"].as_array().unwrap().len(), 2);

    let third = secret_in(&done(&server, &["rotate", "crm-import", "--keep-old-for", "0s"]).await).to_owned();
    for address in &addresses {
        assert_eq!(export_status(address, &held).await, 401, "tokens end with their secret");
        assert_eq!(ask_for_token(address, &name, &first).await.status, 401);
        assert_eq!(ask_for_token(address, &name, &second).await.status, 401);
    }
    let held = token_for(&addresses[1], &name, &third).await;
    done(&server, &["revoke", "crm-import"]).await;
    for address in &addresses {
        assert_eq!(export_status(address, &held).await, 401);
        assert_eq!(ask_for_token(address, &name, &third).await.status, 401);
    }
    let table = done(&server, &["list"]).await;
    assert!(table.contains("none: revoked"), "{table}");
    for shown in [&first, &second, &third] {
        assert!(!table.contains(shown.as_str()), "no secret is shown twice");
    }
    other.kill();
}

#[actix_web::test]
async fn one_secret_is_revoked_by_its_id() {
    let server = Server::start().await;
    let (name, first) = registered(&server, "crm-import", "crm organize").await;
    let second = secret_in(&done(&server, &["rotate", "crm-import"]).await).to_owned();
    let rows = listed(&server).await;
    assert_eq!((&rows[0]["name"], &rows[0]["scopes"]), (&"crm-import".into(), &"organize crm".into()));
    let id = rows[0]["secrets"][0]["secretId"].as_str().unwrap().to_owned();
    done(&server, &["revoke", "crm-import", "--secret", &id]).await;
    assert_eq!(ask_for_token(&server.address(), &name, &first).await.status, 401);
    token_for(&server.address(), &name, &second).await;
    refused(&server, &["revoke", "crm-import", "--secret", &id], "leadlog clients list").await;
}

#[actix_web::test]
async fn programs_read_a_new_secret_as_json_and_scopes_can_be_changed() {
    let server = Server::start().await;
    let name: ApiClientId = "crm-import".parse().unwrap();
    let add = done(&server, &["add", "crm-import", "--scope", "crm,organize", "--json"]).await;
    let rotate = done(&server, &["rotate", "crm-import", "--json"]).await;
    let [added, rotated] = [add, rotate].map(|out| serde_json::from_str::<Value>(&out).unwrap());
    assert_eq!((&added["clientId"], &added["olderWorksUntil"]), (&"crm-import".into(), &Value::Null));
    let ids = listed(&server).await[0]["secrets"].clone();
    assert_eq!((&ids[0]["secretId"], &ids[1]["secretId"]), (&added["secretId"], &rotated["secretId"]));
    assert_eq!(ids[0]["expiresAt"], rotated["olderWorksUntil"]);
    let secret = rotated["clientSecret"].as_str().unwrap();
    let held = token_for(&server.address(), &name, secret).await;
    done(&server, &["set-scopes", "crm-import", "--scope", "organize"]).await;
    assert_eq!(export_status(&server.address(), &held).await, 401);
    let answer = ask_for_token(&server.address(), &name, secret).await;
    assert_eq!(answer.json()["scope"], "organize");
}

#[actix_web::test]
async fn a_key_is_changed_and_retired_beside_running_servers() {
    let server = Server::start().await;
    let (name, secret) = registered(&server, "crm-import", "crm").await;
    let keys = async |command: &str| {
        let said = leadlog(&server.database_url, &["keys", command]).await;
        assert!(said.is_success, "{}", said.error);
    };
    let first = token_for(&server.address(), &name, &secret).await;
    keys("rotate").await;
    let second = token_for(&server.address(), &name, &secret).await;
    for token in [&first, &second, &server.token] {
        assert_eq!(export_status(&server.address(), token).await, 200);
    }
    keys("retire").await;
    for token in [&first, &second, &server.token] {
        assert_eq!(export_status(&server.address(), token).await, 401);
    }
    let third = token_for(&server.address(), &name, &secret).await;
    assert_eq!(export_status(&server.address(), &third).await, 200);
}

#[actix_web::test]
async fn every_key_is_listed_with_what_became_of_it() {
    let server = Server::start().await;
    let keys = async |args: &[&str]| {
        let said = leadlog(&server.database_url, &[&["keys"], args].concat()).await;
        assert!(said.is_success, "{}", said.error);
        said.out
    };
    // Retired takes what was replaced along.
    for command in ["rotate", "retire", "rotate"] {
        keys(&[command]).await;
    }
    let rows: Value = serde_json::from_str(&keys(&["list", "--json"]).await).unwrap();
    let signs: Vec<bool> =
        rows.as_array().unwrap().iter().map(|row| row["signs"].as_bool().unwrap()).collect();
    assert_eq!(signs, [false, false, false, true]);
    let ended = |row: usize| [&rows[row]["replacedAt"], &rows[row]["retiredAt"]].map(|at| !at.is_null());
    assert_eq!([0, 1, 2, 3].map(ended), [[true, true], [false, true], [true, false], [false, false]]);
    let table = keys(&["list"]).await;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[1].contains("retired") && lines[2].contains("retired"), "{table}");
    assert!(lines[3].contains("replaced") && lines[4].ends_with("signs now"), "{table}");
    assert!(lines[4].starts_with(rows[3]["kid"].as_str().unwrap()), "{table}");
    assert!(!table.contains("pkcs8"), "{table}");
}

#[actix_web::test]
async fn what_makes_no_sense_is_refused_with_what_to_do() {
    let server = Server::start().await;
    registered(&server, "crm-import", "crm").await;
    refused(&server, &["add", "crm-import", "--scope", "crm"], "leadlog clients rotate").await;
    refused(&server, &["add", "CRM import", "--scope", "crm"], "begin with a letter").await;
    refused(&server, &["add", "other"], "--scope").await;
    refused(&server, &["add", "other", "--scope", "admin"], "organize and crm").await;
    refused(&server, &["add", "other", "--scope", "crm,operate"], "operate is not given to anybody").await;
    refused(&server, &["add", "leadlog-cli", "--scope", "crm"], "choose another name").await;
    refused(&server, &["set-scopes", "crm-import", "--scope", "crm"], "just these scopes already").await;
    refused(&server, &["rotate", "crm-import", "--keep-old-for", "91d"], "90d at most").await;
    refused(&server, &["rotate", "nobody"], "leadlog clients list").await;
    refused(&server, &["rotate", "crm-import", "--keep-old-for", "soon"], "24h").await;
    refused(&server, &["revoke", "nobody"], "leadlog clients list").await;
    done(&server, &["revoke", "crm-import"]).await;
    refused(&server, &["revoke", "crm-import"], "was revoked at").await;
    let advice = "register another one, under another name";
    let said = clients(&server, &["add", "crm-import", "--scope", "crm"]).await;
    assert!(!said.is_success && said.error.contains(advice), "{}", said.error);
    assert!(!said.error.contains("rotate"), "which cannot work: {}", said.error);
    refused(&server, &["revoke"], "--all").await;
    refused(&server, &["revoke", "crm-import", "--all"], "cannot be used with").await;
    refused(&server, &["revoke", "--all", "--secret", "5f0c9be2"], "cannot be used with").await;
    assert_eq!(server.count("ApiClientRegistered").await, 1);
}

#[actix_web::test]
async fn all_programs_are_shut_out_of_a_copy_at_once() {
    let server = Server::start().await;
    let (first, secret) = registered(&server, "crm-import", "crm").await;
    let (second, other_secret) = registered(&server, "statistics", "crm").await;
    registered(&server, "gone", "crm").await;
    done(&server, &["revoke", "gone"]).await;
    let out = done(&server, &["revoke", "--all"]).await;
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(out.contains("crm-import is revoked") && out.contains("statistics is revoked"), "{out}");
    for (name, secret) in [(&first, &secret), (&second, &other_secret)] {
        assert_eq!(ask_for_token(&server.address(), name, secret).await.status, 401);
    }
    assert!(done(&server, &["revoke", "--all"]).await.contains("No client is left to revoke"));
}

#[actix_web::test]
async fn whoever_is_at_the_server_gets_a_token_for_a_while() {
    let server = Server::start().await;
    let issue =
        async |args: &[&str]| leadlog(&server.database_url, &[&["tokens", "issue"], args].concat()).await;
    let issued = issue(&["--scope", "crm", "--for", "15m", "--name", "ewa"]).await;
    assert!(issued.is_success && issued.error.contains("Authorization: Bearer"), "{}", issued.error);
    let token = issued.out.trim_end();
    assert!(!token.contains(char::is_whitespace), "the token alone, for scripts");
    assert_eq!(export_status(&server.address(), token).await, 200);
    for (args, told) in [
        (&["--scope", "crm", "--for", "25h"][..], "24h at most"),
        (&["--scope", "crm", "--for", "0s"], "for a while"),
        (&["--scope", "crm", "--name", "Ewa Nowak"], "1 to 64 characters"),
        (&["--for", "1h"], "--scope"),
        (&["--scope", "quarantine"], "quarantine is not given to anybody"),
    ] {
        let said = issue(args).await;
        assert!(!said.is_success && said.error.contains(told), "{args:?}: {}{}", said.out, said.error);
    }
}
