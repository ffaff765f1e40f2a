//! A Redis of the harness', and an operator's hand on it.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use holdbook::dev::{RedisConfig, RedisServer};
use redis::AsyncCommands;

/// An operator waits for a slow disk.
const LIMIT: Duration = Duration::from_secs(30);

/// A private one in a folder of its own.
pub async fn start(dir: PathBuf, environment: Vec<(String, OsString)>) -> RedisServer {
    let config = RedisConfig {
        dir,
        fresh: true,
        // A replica need not wait for others that might want a copy, too.
        settings: vec![("repl-diskless-sync-delay".into(), "0".into())],
        environment,
        ..RedisConfig::default()
    };
    RedisServer::start(config).await.expect("a private Redis")
}

pub fn client(port: u16) -> redis::Client {
    redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL")
}

pub async fn connect(client: &redis::Client) -> redis::aio::MultiplexedConnection {
    let limits = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(LIMIT))
        .set_response_timeout(Some(LIMIT));
    let connecting = client.get_multiplexed_async_connection_with_config(&limits);
    connecting.await.expect("Redis answers")
}

/// The newest entries of all partitions: the sums of their epochs and of their numbers.
pub async fn newest(redis: &mut redis::aio::MultiplexedConnection) -> (i64, i64) {
    let mut sums = (0, 0);
    let logs: Vec<String> = redis.keys("hb:*:log").await.expect("Redis answers");
    for log in logs {
        let last: redis::streams::StreamRangeReply = redis
            .xrevrange_count(log, "+", "-", 1)
            .await
            .expect("Redis answers");
        let id = last.ids.first().and_then(|entry| entry.id.split_once('-'));
        let (epoch, n) = id.expect("an entry");
        let number = |text: &str| text.parse::<i64>().expect("a number");
        sums = (sums.0 + number(epoch), sums.1 + number(n));
    }
    sums
}

/// One command, to a server by its port.
pub async fn says<T: redis::FromRedisValue>(port: u16, command: &str) -> T {
    let mut connection = connect(&client(port)).await;
    let mut words = command.split(' ');
    let mut cmd = redis::cmd(words.next().expect("a command"));
    words.for_each(|word| {
        cmd.arg(word);
    });
    cmd.query_async(&mut connection)
        .await
        .expect("Redis does it")
}
