//! A private Redis: its settings, and its life.

use super::*;

#[tokio::test]
async fn redis_is_private_and_durable() {
    let scratch = Scratch::new();
    let mut server = RedisServer::start(scratch.redis())
        .await
        .expect("Redis starts");
    for (name, value) in [
        ("bind", "127.0.0.1"),
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        ("save", ""),
        ("maxmemory-policy", "noeviction"),
    ] {
        assert_eq!(redis_setting(&server, name).await, value, "{name}");
    }
    // Ctrl-C at the terminal goes to a whole group: it must not end the server before its starter has stopped.
    let group = |process: &str| stat_field(process, 3);
    assert_ne!(
        group(&server.pid().expect("runs").to_string()),
        group("self")
    );
    server.stop().await.expect("Redis stops");
}

#[tokio::test]
async fn redis_keeps_its_port_and_data_over_a_kill() {
    let scratch = Scratch::new();
    let mut server = RedisServer::start(scratch.redis())
        .await
        .expect("Redis starts");
    let (url, pid) = (server.url(), server.pid().expect("runs"));
    redis_command(&server, &["SET", "kept", "yes"]).await;
    server.kill().await.expect("Redis is killed");
    assert_eq!(server.pid(), None);
    assert!(!is_alive(pid));
    server.restart().await.expect("Redis starts again");
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), Some(pid));
    assert_eq!(
        redis_command(&server, &["GET", "kept"]).await.as_deref(),
        Some("yes")
    );
}

#[tokio::test]
async fn a_paused_redis_hangs_until_it_is_resumed() {
    let scratch = Scratch::new();
    let mut server = RedisServer::start(scratch.redis())
        .await
        .expect("Redis starts");
    let client = redis::Client::open(server.url()).expect("a valid URL");
    let limits = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&limits)
        .await
        .expect("a connection");
    server.pause().expect("pauses");
    // The signal travels through the script, so an answer or two may still come.
    let hung = async {
        loop {
            let ping = redis::cmd("PING");
            let ping = ping.query_async::<String>(&mut connection);
            if timeout(Duration::from_millis(300), ping).await.is_err() {
                break;
            }
        }
    };
    timeout(Duration::from_secs(10), hung).await.expect("hangs");
    server.resume().expect("resumes");
    assert_eq!(
        redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await
            .expect("an answer"),
        "PONG"
    );
}

#[tokio::test]
async fn settings_given_win() {
    let scratch = Scratch::new();
    let config = RedisConfig {
        settings: vec![("appendonly".to_owned(), "no".to_owned())],
        ..scratch.redis()
    };
    let server = RedisServer::start(config).await.expect("Redis starts");
    assert_eq!(redis_setting(&server, "appendonly").await, "no");
}

#[tokio::test]
async fn environment_given_reaches_it() {
    let scratch = Scratch::new();
    let config = RedisConfig {
        environment: vec![("LD_PRELOAD".to_owned(), "/nowhere/given.so".into())],
        ..scratch.redis()
    };
    let server = RedisServer::start(config).await.expect("Redis starts");
    let log = std::fs::read_to_string(server.log()).expect("its log");
    assert!(log.contains("/nowhere/given.so"), "{log}");
}

#[tokio::test]
async fn a_server_that_ends_at_once_shows_its_log() {
    let scratch = Scratch::new();
    let config = RedisConfig {
        settings: vec![("maxmemory-policy".to_owned(), "sideways".to_owned())],
        ..scratch.redis()
    };
    let error = RedisServer::start(config)
        .await
        .map(|_| ())
        .expect_err("a setting that does not exist");
    assert!(
        matches!(
            error,
            DevError::Died {
                server: "Redis",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("sideways"), "{error}");
}
