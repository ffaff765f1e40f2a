//! A private Postgres: its settings, and its life.

use super::*;

#[tokio::test]
async fn postgres_keeps_its_port_and_data_over_a_stop_and_a_kill() {
    let scratch = Scratch::new();
    let mut server = PostgresServer::start(scratch.postgres())
        .await
        .expect("Postgres starts");
    let url = server.url();
    sql(&url, "CREATE TABLE kept AS SELECT 'yes' AS it").await;
    server.restart().await.expect("Postgres starts again");
    assert_eq!(sql(&url, "SELECT it FROM kept").await, ["yes"]);
    server.kill().await.expect("Postgres is killed");
    server.restart().await.expect("Postgres recovers");
    assert_eq!(sql(&url, "SELECT it FROM kept").await, ["yes"]);
    let settings =
        "SELECT current_setting('listen_addresses') || ' ' || current_setting('fsync') || ' ['
        || current_setting('unix_socket_directories') || ']'";
    assert_eq!(sql(&url, settings).await, ["127.0.0.1 on []"]);
    server.create_database("another").await.expect("a database");
    server
        .create_database("another")
        .await
        .expect("the same database again");
    assert_eq!(
        sql(&server.url_of("another"), "SELECT current_database()").await,
        ["another"]
    );
    server.stop().await.expect("Postgres stops");
}

#[tokio::test]
async fn postgres_asks_for_its_password() {
    let scratch = Scratch::new();
    let server = PostgresServer::start(scratch.postgres())
        .await
        .expect("Postgres starts");
    let guess = format!(
        "postgres://holdbook:guess@127.0.0.1:{}/holdbook",
        server.port()
    );
    let refused = tokio_postgres::connect(&guess, tokio_postgres::NoTls)
        .await
        .map(|_| ());
    let code = refused.expect_err("a wrong password").code().cloned();
    assert_eq!(
        code,
        Some(tokio_postgres::error::SqlState::INVALID_PASSWORD)
    );
}
