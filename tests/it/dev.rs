//! The private servers: data that survives, folders and ports that are refused, children that never outlive their starter.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};

use holdbook::dev::{
    DevError, PostgresConfig, PostgresServer, RedisConfig, RedisServer, Servers, ServersConfig,
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// Tells the test binary, started again by a test, to hold servers in this folder until it is killed.
const HOLD: &str = "HOLDBOOK_TEST_HOLD_SERVERS_IN";

/// How long a process may take to be gone after its starter is.
const GONE_LIMIT: Duration = Duration::from_secs(20);

/// A folder that is removed at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        Scratch(env::temp_dir().join(format!("holdbook-test-{}", Uuid::new_v4().simple())))
    }

    fn redis(&self) -> RedisConfig {
        RedisConfig {
            dir: self.0.clone(),
            ..RedisConfig::default()
        }
    }

    fn postgres(&self) -> PostgresConfig {
        PostgresConfig {
            dir: self.0.clone(),
            ..PostgresConfig::default()
        }
    }

    fn pair(&self) -> ServersConfig {
        ServersConfig {
            data_dir: self.0.clone(),
            ..ServersConfig::default()
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that cannot be removed fails no test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn redis_command(server: &RedisServer, words: &[&str]) -> Option<String> {
    let client = redis::Client::open(server.url()).expect("a valid URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a running Redis");
    redis::cmd(words[0])
        .arg(&words[1..])
        .query_async(&mut connection)
        .await
        .expect("an answer")
}

async fn redis_setting(server: &RedisServer, name: &str) -> String {
    let client = redis::Client::open(server.url()).expect("a valid URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a running Redis");
    let pair: Vec<String> = redis::cmd("CONFIG")
        .arg("GET")
        .arg(name)
        .query_async(&mut connection)
        .await
        .expect("an answer");
    pair[1].clone()
}

async fn sql(url: &str, statement: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("a running Postgres");
    tokio::spawn(connection);
    let messages = client.simple_query(statement).await.expect("an answer");
    let rows = messages.iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    rows.collect()
}

fn is_alive(pid: u32) -> bool {
    // A dead process that nobody has reaped is gone too.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn wait_until_gone(pids: &[u32]) {
    let deadline = Instant::now() + GONE_LIMIT;
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(
            Instant::now() < deadline,
            "still running of {pids:?} after {GONE_LIMIT:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

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

#[tokio::test]
async fn an_unasked_end_is_noticed() {
    let scratch = Scratch::new();
    let server = RedisServer::start(scratch.redis())
        .await
        .expect("Redis starts");
    let kill = format!("kill -9 {}", server.pid().expect("runs"));
    Command::new("sh")
        .args(["-c", &kill])
        .status()
        .expect("sh runs");
    let error = timeout(Duration::from_secs(10), server.died())
        .await
        .expect("noticed");
    assert!(error.to_string().contains("signal 9"), "{error}");
}

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

#[tokio::test]
async fn a_dropped_server_ends() {
    let scratch = Scratch::new();
    let server = RedisServer::start(scratch.redis())
        .await
        .expect("Redis starts");
    let pid = server.pid().expect("runs");
    drop(server);
    wait_until_gone(&[pid]).await;
}

/// Started by other tests as a process of its own; on its own it has nothing to hold.
#[tokio::test]
async fn holder() {
    let Some(folder) = env::var_os(HOLD) else {
        return;
    };
    let config = ServersConfig {
        data_dir: folder.into(),
        ..ServersConfig::default()
    };
    let servers = Servers::start(config).await.expect("both start");
    redis_command(&servers.redis, &["SET", "kept", "yes"]).await;
    sql(
        &servers.postgres_url(),
        "CREATE TABLE IF NOT EXISTS kept ()",
    )
    .await;
    let (redis, postgres) = (
        servers.redis.pid().expect("runs"),
        servers.postgres.pid().expect("runs"),
    );
    println!("holding {redis} {postgres}");
    std::future::pending::<()>().await;
}

/// Starts `holder` and answers it with the processes of its servers.
fn start_holder(folder: &Path) -> (process::Child, Vec<u32>) {
    let mut holder = Command::new(env::current_exe().expect("this program"))
        .args(["dev::holder", "--exact", "--nocapture"])
        .env(HOLD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the holder starts");
    let output = BufReader::new(holder.stdout.take().expect("a pipe"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("holding ").map(|(_, pids)| pids.to_owned()))
        .expect("the holder tells its servers");
    (
        holder,
        line.split_whitespace()
            .map(|pid| pid.parse().expect("a number"))
            .collect(),
    )
}

#[tokio::test]
async fn no_server_outlives_its_starter_killed() {
    let scratch = Scratch::new();
    let (mut holder, pids) = start_holder(&scratch.0);
    assert!(
        pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)),
        "{pids:?}"
    );
    holder.kill().expect("SIGKILL");
    holder.wait().expect("the holder ends");
    wait_until_gone(&pids).await;
}

#[tokio::test]
async fn servers_left_by_a_crash_are_ended_and_their_data_is_kept() {
    let scratch = Scratch::new();
    let (mut holder, pids) = start_holder(&scratch.0);
    // The scripts first, so that nobody is left to end the servers: the worst crash.
    for pid in &pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("runs");
        let parent: u32 = stat
            .rsplit_once(") ")
            .expect("a stat line")
            .1
            .split(' ')
            .nth(1)
            .expect("a parent")
            .parse()
            .expect("a number");
        let group = format!(
            "kill -9 {parent} $(cat /proc/{parent}/task/{parent}/children | tr ' ' '\\n' | grep -vx {pid})"
        );
        Command::new("sh")
            .args(["-c", &group])
            .status()
            .expect("sh runs");
    }
    holder.kill().expect("SIGKILL");
    holder.wait().expect("the holder ends");
    assert!(
        pids.iter().all(|pid| is_alive(*pid)),
        "the servers are on their own"
    );

    let servers = Servers::start(scratch.pair()).await.expect("both start");
    assert!(
        pids.iter().all(|pid| !is_alive(*pid)),
        "the old servers were ended"
    );
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
}

#[tokio::test]
async fn a_pid_file_of_an_earlier_life_is_no_obstacle() {
    let scratch = Scratch::new();
    let mut server = PostgresServer::start(scratch.postgres())
        .await
        .expect("Postgres starts");
    server.kill().await.expect("Postgres is killed");
    // As after a restart of the machine: the recorded number is somebody else's now.
    let pid_file = server.dir().join("data/postmaster.pid");
    let old = fs::read_to_string(&pid_file).expect("left by the kill");
    let (_, rest) = old.split_once('\n').expect("several lines");
    fs::write(&pid_file, format!("{}\n{rest}", process::id())).expect("written");
    server.restart().await.expect("Postgres starts");
}
