//! Database users that are not the owner of the tables, made by the SQL of docs/operations.md.

use domain::{SyncResponse, Timestamp, Verdict};
use identity::testing::KeyedDevice;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, PgPool};
use time::OffsetDateTime;

use crate::backups::snapshot;
use crate::program::{Program, leadlog};
use crate::server::{Server, lead, lead_with};

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// A database user for the length of a test.
struct User {
    name: String,
    owner: PgPool,
    /// Where it finds the store.
    url: String,
}

impl User {
    /// One that may do nothing yet.
    async fn new(server: &Server, name: &str) -> Self {
        let name = format!("{name}_{}", schema(&server.pool).await);
        let url = format!("{}&options[role]={name}", server.database_url);
        let user = Self { name, owner: server.pool.clone(), url };
        user.run(&format!("CREATE ROLE {}", user.name)).await;
        user
    }

    /// One that the SQL of the documentation makes, in the schema of the test.
    async fn documented(server: &Server, name: &str) -> Self {
        let create = format!("CREATE ROLE {name} LOGIN PASSWORD '…';");
        let sql = OPERATIONS.split("```").find(|block| block.contains(&create)).expect("it is documented");
        let user = Self::new(server, name).await;
        let sql = sql.trim_start_matches("sql").replace(&create, "");
        let sql = sql.replace("SCHEMA public", &format!("SCHEMA {}", schema(&server.pool).await));
        user.run(&sql.replace(name, &user.name)).await;
        user
    }

    /// Runs SQL as the owner of the tables.
    async fn run(&self, sql: &str) {
        sqlx::raw_sql(sql).execute(&self.owner).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// What the command says when it ends well.
    async fn does(&self, args: &[&str]) -> String {
        let said = leadlog(&self.url, args).await;
        assert!(said.is_success, "{args:?}: {}{}", said.out, said.error);
        said.out
    }

    /// What the command says when it is refused.
    async fn may_not(&self, args: &[&str]) -> String {
        let said = leadlog(&self.url, args).await;
        assert!(!said.is_success, "{args:?}: {}", said.out);
        said.error
    }

    async fn drop(self) {
        self.run(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name)).await;
    }
}

async fn schema(pool: &PgPool) -> String {
    sqlx::query_scalar("SELECT current_schema()::text").fetch_one(pool).await.unwrap()
}

/// A server that has taken a lead and refused one; and the digest of that.
async fn server_with_a_refusal() -> (Server, String) {
    let server = Server::start().await;
    server.sync(&[lead(1), lead_with(2, |lead| lead["consents"] = json!([]))]).await;
    let listed = leadlog(&server.database_url, &["quarantine", "list", "--json"]).await.out;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let digest = listed[0]["digest"].as_str().unwrap().to_owned();
    (server, digest)
}

#[actix_web::test]
async fn a_user_that_only_reads_exports_and_looks_and_is_told_why_it_may_not_write() {
    let (mut server, digest) = server_with_a_refusal().await;
    let reader = User::documented(&server, "leadlog_reader").await;
    for format in ["csv", "ndjson"] {
        let contacts = reader.does(&["export", "contacts", "--format", format]).await;
        assert!(contacts.contains("anna1@example.com"), "{contacts}");
    }
    assert!(reader.does(&["devices"]).await.contains("ipad-7"));
    assert!(reader.does(&["quarantine", "list"]).await.contains(&digest));
    assert!(reader.does(&["projections", "status"]).await.contains("2 of 2"));
    assert!(reader.does(&["projections", "verify"]).await.contains("every row is what the log gives"));
    for looks in
        [["projections", "list"], ["projections", "parked"], ["campaigns", "list"], ["backups", "list"]]
    {
        reader.does(&looks).await;
    }

    for writes in [
        &["quarantine", "dismiss", &digest][..],
        &["quarantine", "release", &digest],
        &["serve", "--listen", "127.0.0.1:0"],
    ] {
        let error = reader.may_not(writes).await;
        let grant = format!("GRANT INSERT, UPDATE ON events TO {}", reader.name);
        assert!(error.contains("may read this store and not add to it") && error.contains(&grant), "{error}");
    }
    let error = reader.may_not(&["projections", "rebuild", "leads"]).await;
    assert!(error.contains("GRANT CREATE ON DATABASE") && !error.contains("--abandon"), "{error}");
    let error = reader.may_not(&["projections", "replay", "devices", "--from", "1"]).await;
    let grant = format!("GRANT INSERT, UPDATE, DELETE, TRUNCATE ON device_sequences TO {}", reader.name);
    assert!(error.contains(&grant), "{error}");

    // What signs tokens is not read, though the grants are on all tables; nor behind a table that stands in for the log.
    let sees = "SELECT count(*) FROM signing_keys";
    let keys: i64 = sqlx::query_scalar(sees).fetch_one(&server.pool).await.unwrap();
    assert_eq!(keys, 1, "the store has a key");
    let mut db = PgConnection::connect(&reader.url).await.unwrap();
    for trick in ["SELECT 1", "CREATE TEMPORARY TABLE events (a int)"] {
        sqlx::query(trick).execute(&mut db).await.unwrap();
        let keys: i64 = sqlx::query_scalar(sees).fetch_one(&mut db).await.unwrap();
        assert_eq!(keys, 0);
    }
    drop(db);
    for signs in [
        &["tokens", "issue", "--scope", "crm"][..],
        &["clients", "add", "crm", "--scope", "crm"],
        &["keys", "retire"],
    ] {
        let error = reader.may_not(signs).await;
        assert!(error.contains("may read this store and not add to it"), "{error}");
    }
    reader.does(&["clients", "list"]).await;

    // Rows that nobody brings up to date are not exported as if they were.
    server.stop_projecting().await;
    server.sync(&[lead(3)]).await;
    let error = reader.may_not(&["export", "leads"]).await;
    assert!(error.contains("is behind the log") && error.contains("leadlog serve"), "{error}");

    // A newer version of the program, which the owner has not run yet.
    reader
        .run("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await;
    let error = reader.may_not(&["projections", "status"]).await;
    assert!(error.contains("is not up to date") && error.contains("as the owner of the tables"), "{error}");
    reader.drop().await;
}

#[actix_web::test]
async fn a_user_that_serves_takes_leads_in_and_looks_after_everything_but_the_schema() {
    let (mut server, digest) = server_with_a_refusal().await;
    let user = User::documented(&server, "leadlog_server").await;
    server.stop_projecting().await;
    // Rows of an older version are folded anew from the beginning.
    user.run("UPDATE projection_cursors SET version = version - 1 WHERE name = 'leads'").await;
    let program = Program::serve_on(&user.url);
    let entries = json!([lead(3), lead_with(4, |lead| lead["consents"] = json!([]))]);
    let token = user.does(&["tokens", "issue", "--scope", "crm,capture"]).await;
    let token = token.trim_end();
    let send = awc::Client::default().post(format!("{}/api/leads/sync", program.address)).bearer_auth(token);
    let mut answer = send.send_body(json!({ "entries": entries }).to_string()).await.unwrap();
    let answer: SyncResponse = serde_json::from_slice(&answer.body().await.unwrap()).unwrap();
    let verdicts: Vec<Verdict> = answer.results.iter().map(|result| result.status).collect();
    assert_eq!(verdicts, [Verdict::Created, Verdict::Invalid]);
    let exported = user.does(&["export", "leads"]).await;
    assert!(exported.contains("anna3@example.com"), "{exported}");
    user.does(&["quarantine", "dismiss", &digest]).await;
    let export = awc::Client::default().get(format!("{}/api/exports/leads.csv", program.address));
    assert_eq!(export.bearer_auth(token).send().await.unwrap().status().as_u16(), 200);
    user.does(&["clients", "add", "crm", "--scope", "crm"]).await;
    a_device_comes_in(&user, &program).await;
    user.does(&["keys", "retire"]).await;
    let right = "SELECT has_table_privilege($1, 'signing_keys', 'DELETE, TRUNCATE')";
    let may_delete: bool = sqlx::query_scalar(right).bind(&user.name).fetch_one(&server.pool).await.unwrap();
    assert!(!may_delete, "keys are retired, and not taken away");
    user.does(&["projections", "replay", "--from", "1"]).await;
    assert!(user.does(&["projections", "verify"]).await.contains("every row is what the log gives"));
    let error = user.may_not(&["projections", "rebuild", "leads"]).await;
    assert!(error.contains("GRANT CREATE ON DATABASE"), "{error}");
    assert!(program.interrupt());
    user.drop().await;
}

#[actix_web::test]
async fn whoever_lacks_a_right_is_told_the_sql_that_is_enough() {
    let (server, _) = server_with_a_refusal().await;
    let user = User::new(&server, "newcomer").await;
    let mut told = Vec::new();
    loop {
        let said = leadlog(&user.url, &["export", "contacts"]).await;
        if said.is_success {
            break;
        }
        let (_, sql) = said.error.split_once("let it: ").unwrap_or_else(|| panic!("{}", said.error));
        assert!(!told.contains(&sql.to_owned()), "it was not enough: {sql}");
        user.run(sql).await;
        told.push(sql.to_owned());
    }
    assert_eq!(told.len(), 2, "to enter the schema, and to read: {told:?}");
    // A table whose grant somebody forgot.
    user.run(&format!("REVOKE SELECT ON contacts FROM {}", user.name)).await;
    let error = user.may_not(&["export", "contacts"]).await;
    assert!(error.contains(&format!("GRANT SELECT ON contacts TO {}", user.name)), "{error}");
    user.drop().await;
}

#[actix_web::test]
async fn a_rebuild_that_the_database_refuses_in_the_middle_says_what_it_leaves() {
    let (server, _) = server_with_a_refusal().await;
    let user = User::documented(&server, "leadlog_reader").await;
    let database: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(&server.pool).await.unwrap();
    user.run(&format!(
        "GRANT CREATE ON DATABASE \"{database}\" TO {0}; GRANT CREATE ON SCHEMA {1} TO {0};
         ALTER TABLE quarantine OWNER TO {0}; ALTER TABLE parked_events OWNER TO {0};
         ALTER TABLE projection_cursors OWNER TO {0}; REVOKE INSERT ON projection_cursors FROM {0}",
        user.name,
        schema(&server.pool).await
    ))
    .await;
    let error = user.may_not(&["projections", "rebuild", "quarantine"]).await;
    assert!(error.contains("permission denied for table projection_cursors"), "{error}");
    assert!(error.contains("stays in the database, with personal data; run this again"), "{error}");
    assert!(!error.contains("no transaction"), "{error}");
    assert!(user.does(&["projections", "rebuild", "quarantine", "--abandon"]).await.contains("thrown away"));
    user.drop().await;
}

/// By a code, and to a token.
async fn a_device_comes_in(user: &User, program: &Program) {
    let device = KeyedDevice::new("ipad-7");
    let shown: Value =
        serde_json::from_str(&user.does(&["devices", "enrol", "iPad 7", "--json"]).await).unwrap();
    let enrol = awc::Client::default().post(format!("{}/api/devices/enrol", program.address));
    let mut answer = enrol.send_json(&device.request(shown["code"].as_str().unwrap())).await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let (enrolment, store) = (answer["enrolmentId"].as_str().unwrap(), answer["storeId"].as_str().unwrap());
    let now = Timestamp::new(OffsetDateTime::now_utc());
    let assertion = device.assertion(&enrolment.parse().unwrap(), store.parse().unwrap(), now);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    let token = awc::Client::default().post(format!("{}/oauth/token", program.address));
    assert_eq!(token.send_form(&form).await.unwrap().status(), 200);
}

/// Leads come first: a server that may take them in serves, whatever else it may not do, and says so.
#[actix_web::test]
async fn a_server_that_may_take_leads_in_serves_and_says_what_else_it_may_not() {
    let (server, _) = server_with_a_refusal().await;
    let user = User::documented(&server, "leadlog_server").await;
    user.run(&format!(
        "REVOKE TRUNCATE ON leads FROM {0}; REVOKE INSERT ON device_backups FROM {0}; REVOKE UPDATE ON signing_keys \
         FROM {0}; REVOKE INSERT ON used_assertions FROM {0}",
        user.name
    ))
    .await;
    let log = tempfile::NamedTempFile::new().unwrap();
    let program = Program::serve_on_logging(&user.url, log.path());
    let health = awc::Client::default().get(format!("{}/api/health", program.address)).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let backup = format!("{}/api/devices/ipad-7/backups", program.address);
    let body = snapshot("ipad-7", &[lead(1)]).to_string();
    let backup = awc::Client::default().put(backup).bearer_auth(&server.token);
    let mut answer = backup.send_body(body).await.unwrap();
    let answer = String::from_utf8(answer.body().await.unwrap().to_vec()).unwrap();
    assert!(program.interrupt());
    let log = std::fs::read_to_string(log.path()).unwrap();
    for (table, right) in [
        ("leads", "TRUNCATE"),
        ("device_backups", "INSERT"),
        ("signing_keys", "UPDATE"),
        ("used_assertions", "INSERT"),
    ] {
        let grant = format!("let it: GRANT {right} ON {table} TO {}", user.name);
        assert!(log.contains(&grant), "{log}");
    }
    assert!(answer.contains("The database refuses what this needs"), "{answer}");
    let error = user.may_not(&["keys", "retire"]).await;
    assert!(error.contains(&format!("let it: GRANT UPDATE ON signing_keys TO {}", user.name)), "{error}");
    user.drop().await;
}

/// A device must not stay with a store that can take nothing in.
#[actix_web::test]
async fn a_store_whose_database_is_read_only_says_that_it_takes_nothing_in() {
    let server = Server::start().await;
    let url = format!("{}&options[default_transaction_read_only]=on", server.database_url);
    let program = Program::serve_on(&url);
    let health = awc::Client::default().get(format!("{}/api/health", program.address)).send();
    let mut health = health.await.unwrap();
    assert_eq!(health.status(), 503);
    let said = String::from_utf8(health.body().await.unwrap().to_vec()).unwrap();
    assert!(said.contains("The database is read-only"), "{said}");
    assert!(program.interrupt());
}

/// Whoever only looks makes no store: an empty database is more likely a wrong name.
#[actix_web::test]
async fn a_command_that_looks_refuses_an_empty_database_and_leaves_it_empty() {
    let server = Server::start().await;
    let full = schema(&server.pool).await;
    let empty = format!("{full}_empty");
    sqlx::raw_sql(&format!("CREATE SCHEMA {empty}")).execute(&server.pool).await.unwrap();
    let url = server.database_url.replace(&full, &empty);
    let said = leadlog(&url, &["export", "leads"]).await;
    assert!(said.error.contains("there is no store in this database; is the URL right?"), "{}", said.error);
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = $1")
        .bind(&empty)
        .fetch_one(&server.pool)
        .await
        .unwrap();
    assert_eq!(tables, 0);
    sqlx::raw_sql(&format!("DROP SCHEMA {empty}")).execute(&server.pool).await.unwrap();
}
