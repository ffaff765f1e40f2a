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

mod crashes;
mod folders;
mod postgres_server;
mod redis_server;

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

/// A field of `/proc/<process>/stat`, counted from 1 after the name: 2 is the parent, 3 the group.
fn stat_field(process: &str, field: usize) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a stat line");
    let field = fields.split(' ').nth(field - 1).expect("a field");
    field.parse().expect("a number")
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
