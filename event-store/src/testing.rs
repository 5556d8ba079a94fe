//! For tests: a schema of its own for each, in a real PostgreSQL.

use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

/// Names the server that tests use; `cargo xtask test` sets it to a private cluster.
pub const TEST_DATABASE_URL: &str = "LEADLOG_TEST_DATABASE_URL";

/// The URL of a fresh schema, which holds nothing yet.
///
/// # Panics
/// When there is no server: a test cannot go on without one.
pub async fn fresh_schema_url() -> String {
    let server = server_url();
    let schema = format!("test_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
    sqlx::query(&format!("CREATE SCHEMA {schema}"))
        .execute(&mut connection)
        .await
        .expect("a schema can be made");
    let separator = if server.contains('?') { '&' } else { '?' };
    format!("{server}{separator}options[search_path]={schema}")
}

/// A migrated store in a fresh schema, and its URL.
///
/// # Panics
/// When there is no server: a test cannot go on without one.
pub async fn fresh_store() -> (PgPool, String) {
    let url = fresh_schema_url().await;
    let pool = crate::connect(&url, 30).await.expect("the test server answers");
    crate::migrate(&pool).await.expect("the migrations run");
    (pool, url)
}

fn server_url() -> String {
    std::env::var(TEST_DATABASE_URL).unwrap_or_else(|_| {
        panic!("{TEST_DATABASE_URL} names no PostgreSQL; `cargo xtask test` starts one, or set it to one of yours")
    })
}
