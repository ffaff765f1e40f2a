//! A private Postgres for this process, a fresh database for each test.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::sync::OnceCell;

static SERVER: OnceCell<u16> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database, as its owner.
pub async fn postgres_url() -> String {
    let port = *SERVER
        .get_or_init(|| async { tokio::task::spawn_blocking(start).await.unwrap() })
        .await;
    let (client, connection) = tokio_postgres::connect(
        &format!("postgres://test@127.0.0.1:{port}/postgres"),
        tokio_postgres::NoTls,
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    client
        .batch_execute(&format!("create database {name}"))
        .await
        .unwrap();
    format!("postgres://test@127.0.0.1:{port}/{name}")
}

/// Starts it under a shell that ends it when this process is gone: then its input closes.
fn start() -> u16 {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let script = format!(
        "set -e; bin=$(ls -d /usr/lib/postgresql/*/bin | tail -1); dir=$(mktemp -d /tmp/holdbook-pg-XXXXXX); cd $dir
         $bin/initdb -D $dir/data -U test -A trust -E UTF8 --no-sync >/dev/null
         $bin/pg_ctl -D $dir/data -w -l $dir/log -o \"-p {port} -h 127.0.0.1 -k $dir -c fsync=off\" start >/dev/null
         echo ready; cat >/dev/null || true; $bin/pg_ctl -D $dir/data -m immediate stop >/dev/null; rm -rf $dir"
    );
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = if root {
        Command::new("setpriv")
    } else {
        Command::new("sh")
    };
    if root {
        command.args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "sh",
        ]);
    }
    let mut child = command
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    assert_eq!(line, "ready\n");
    // Its input stays open as long as this process lives.
    std::mem::forget(child);
    port
}
