//! Folders and ports: what survives, what is emptied, what is refused.

use super::*;

#[tokio::test]
async fn the_pair_keeps_its_data_until_fresh_is_asked_for() {
    let scratch = Scratch::new();
    let servers = Servers::start(scratch.pair()).await.expect("both start");
    redis_command(&servers.redis, &["SET", "kept", "yes"]).await;
    sql(&servers.postgres_url(), "CREATE TABLE kept ()").await;
    servers.stop().await.expect("both stop");

    let servers = Servers::start(scratch.pair())
        .await
        .expect("both start again");
    assert_eq!(
        redis_command(&servers.redis, &["GET", "kept"])
            .await
            .as_deref(),
        Some("yes")
    );
    assert_eq!(
        sql(&servers.postgres_url(), "SELECT to_regclass('kept')").await,
        ["kept"]
    );
    servers.stop().await.expect("both stop");

    let servers = Servers::start(ServersConfig {
        fresh: true,
        ..scratch.pair()
    })
    .await
    .expect("both start from nothing");
    assert_eq!(redis_command(&servers.redis, &["GET", "kept"]).await, None);
    assert_eq!(
        sql(&servers.postgres_url(), "SELECT to_regclass('kept')").await,
        [""; 0]
    );
    servers.stop().await.expect("both stop");
}

#[tokio::test]
async fn a_given_port_that_is_taken_is_named() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let redis = RedisServer::start(RedisConfig {
        port: Some(port),
        ..scratch.redis()
    })
    .await;
    let error = redis.map(|_| ()).expect_err("a taken port").to_string();
    assert!(
        error.contains(&format!("port {port} for Redis is taken")),
        "{error}"
    );
    let postgres = PostgresServer::start(PostgresConfig {
        port: Some(port),
        ..scratch.postgres()
    })
    .await;
    let error = postgres.map(|_| ()).expect_err("a taken port").to_string();
    assert!(
        error.contains(&format!("port {port} for Postgres is taken")),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_the_process() {
    let scratch = Scratch::new();
    let _server = RedisServer::start(scratch.redis())
        .await
        .expect("Redis starts");
    let error = RedisServer::start(scratch.redis())
        .await
        .map(|_| ())
        .expect_err("in use")
        .to_string();
    assert!(
        error.contains(&format!("in use by the process {}", process::id())),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_of_somebody_else_is_never_touched() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).expect("a folder");
    let letter = scratch.0.join("letter.txt");
    fs::write(&letter, "dear").expect("a file");
    for fresh in [false, true] {
        let result = Servers::start(ServersConfig {
            fresh,
            ..scratch.pair()
        })
        .await;
        let error = result.map(|_| ()).expect_err("not ours");
        assert!(matches!(error, DevError::FolderForeign { .. }), "{error}");
    }
    assert_eq!(fs::read_to_string(&letter).expect("still there"), "dear");
    assert_eq!(fs::read_dir(&scratch.0).expect("still there").count(), 1);
}

#[tokio::test]
async fn a_folder_that_postgres_user_cannot_reach_moves_as_a_whole() {
    let scratch = Scratch::new();
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&scratch.0)
        .expect("a folder only for us");
    let wanted = scratch.0.join("data");
    let config = ServersConfig {
        data_dir: wanted.clone(),
        ..ServersConfig::default()
    };
    let servers = Servers::start(config.clone()).await.expect("both start");
    let place = servers.data_dir().to_path_buf();
    let is_root = fs::metadata("/proc/self").expect("our process").uid() == 0;
    assert_eq!(place == wanted, !is_root, "{place:?}");
    assert!(
        place == wanted || place.starts_with("/var/tmp"),
        "{place:?}"
    );
    assert!(place.join("redis/data").is_dir() && place.join("postgres").is_dir());
    servers.stop().await.expect("both stop");
    let servers = Servers::start(config).await.expect("both start again");
    assert_eq!(servers.data_dir(), place);
    servers.stop().await.expect("both stop");
    fs::remove_dir_all(place).expect("removed");
}
