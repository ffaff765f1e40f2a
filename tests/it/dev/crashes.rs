//! What is left when something dies: nothing that runs, all that was written.

use super::*;

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
        .args(["dev::crashes::holder", "--exact", "--nocapture"])
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
        let parent = stat_field(&pid.to_string(), 2);
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

#[tokio::test]
async fn a_server_of_another_folder_is_never_ended() {
    let (theirs, ours) = (Scratch::new(), Scratch::new());
    let other = RedisServer::start(theirs.redis())
        .await
        .expect("Redis starts");
    let pid = other.pid().expect("runs");
    // A pid file that names a process which is a Redis, but not the one of this folder.
    let mut server = RedisServer::start(ours.redis())
        .await
        .expect("Redis starts");
    server.stop().await.expect("Redis stops");
    drop(server);
    fs::write(ours.0.join("data/redis.pid"), pid.to_string()).expect("written");
    let _server = RedisServer::start(ours.redis())
        .await
        .expect("Redis starts");
    assert!(is_alive(pid));
}
