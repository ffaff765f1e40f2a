//! Postgres goes back to an older copy of itself, as when a replica that was behind is promoted: the ledger is fed again from the
//! stream's tail, or says what it cannot have.

use std::{path::PathBuf, process::Command};

use super::*;

/// A service's rooms on a Postgres that can go back.
struct Older {
    rooms: Rooms,
    postgres: PostgresServer,
    copy: PathBuf,
}

impl Older {
    async fn open() -> Self {
        let postgres = support::own_postgres("older").await;
        let rooms = Rooms::open_on(support::redis().await, &postgres.url()).await;
        let copy = postgres.dir().join("older");
        Self {
            rooms,
            postgres,
            copy,
        }
    }

    fn copied(from: &PathBuf, to: &PathBuf) {
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.expect("cp runs").success());
    }

    async fn back_up(&mut self) {
        self.rooms.whole().await;
        self.postgres.stop().await.expect("stopped");
        Self::copied(&self.postgres.dir().join("data"), &self.copy);
        self.return_to_service().await;
    }

    async fn go_back(&mut self) {
        let data = self.postgres.dir().join("data");
        self.postgres.stop().await.expect("stopped");
        std::fs::remove_dir_all(&data).expect("removed");
        Self::copied(&self.copy, &data);
        self.return_to_service().await;
    }

    async fn return_to_service(&mut self) {
        self.postgres.restart().await.expect("Postgres comes back");
        while self.rooms.ledger.cursor(0).await.is_err() {}
    }

    /// Redis comes back under another replication id: a new era.
    async fn next_era(&self) {
        self.rooms.whole().await;
        let mut server = self.rooms.redis.lock().await;
        server.restart().await.expect("Redis comes back");
        drop(server);
        assert_eq!(self.rooms.recover().await, Look::Recovered);
        while self.rooms.memory().touch(ACCOUNT).await.is_err() {}
    }

    async fn free(&self) -> Credits {
        let answer = self.rooms.run(Verb::Read).await.expect("an answer");
        answer.balance.free
    }

    async fn end(mut self) {
        self.postgres.stop().await.expect("stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn within_an_era_the_ledger_is_fed_again() {
    let mut older = Older::open().await;
    older.rooms.used().await;
    older.back_up().await;
    older.rooms.reserve("frame-3").await.expect("a hold");
    older.rooms.commit("frame-2").await.expect("a commit");
    older.rooms.whole().await;
    let (free, reached) = (older.free().await, older.rooms.waits.cursor(0));
    older.go_back().await;
    let stood = older.rooms.ledger.cursor(0).await.expect("a cursor");
    assert!(Some(stood) < reached, "{stood}: the copy is older");
    // Whoever waits for the ledger must not be told by what was known before.
    assert_eq!(older.rooms.recover().await, Look::Open);
    assert_eq!(older.rooms.waits.cursor(0), Some(stood));
    older.rooms.whole().await;
    assert_eq!(older.rooms.waits.cursor(0), reached);
    assert_eq!(older.free().await, free);
    older.rooms.commit("frame-3").await.expect("a commit");
    older.rooms.whole().await;
    older.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_two_eras_the_ledger_is_fed_again() {
    let mut older = Older::open().await;
    older.rooms.used().await;
    older.back_up().await;
    older.rooms.reserve("first-era").await.expect("a hold");
    older.next_era().await;
    older.rooms.reserve("second-era").await.expect("a hold");
    older.rooms.whole().await;
    older.rooms.commit("first-era").await.expect("a commit");
    older.next_era().await;
    older.rooms.reserve("third-era").await.expect("a hold");
    older.rooms.whole().await;
    let free = older.free().await;
    older.go_back().await;
    assert_eq!(older.rooms.recover().await, Look::Recovered);
    let report = older.rooms.ledger.last_recoveries().await.expect("a row")[&0];
    let counts = [report.behind_a_gap, report.missing, report.not_replayed];
    assert_eq!(counts, [0, 0, 0]);
    assert!(report.drained >= 6, "{report:?}");
    while older.rooms.memory().touch(ACCOUNT).await.is_err() {}
    older.rooms.whole().await;
    assert_eq!(older.free().await, free);
    for hold in ["second-era", "third-era"] {
        older.rooms.commit(hold).await.expect("an answer");
        older.rooms.whole().await;
    }
    assert_eq!(older.free().await, free + credits("1"), "2 held, 1.5 taken");
    older.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_tail_the_gap_is_reported_and_the_rest_replayed() {
    let mut older = Older::open().await;
    older.rooms.used().await;
    older.back_up().await;
    for hold in 0..5 {
        let hold = format!("later-{hold}");
        older.rooms.reserve(&hold).await.expect("a hold");
    }
    older.rooms.whole().await;
    let head = older.rooms.holds.head(0).await.expect("Redis answers");
    let url = older.rooms.redis.lock().await.url();
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.expect("Redis answers");
    let log: Vec<String> = redis::cmd("KEYS")
        .arg("hb:*:log")
        .query_async(&mut connection)
        .await
        .expect("the stream");
    let _: u64 = redis::cmd("XTRIM")
        .arg(log)
        .arg("MINID")
        .arg(format!("{}-{}", head.epoch, head.n - 1))
        .query_async(&mut connection)
        .await
        .expect("the tail is over");
    older.go_back().await;
    let refused = older.rooms.relay().step().await.expect_err("a gap");
    assert!(
        matches!(refused, RelayError::Ledger(ledger::LedgerError::Gap { .. })),
        "{refused}"
    );
    assert_eq!(older.rooms.recover().await, Look::Recovered);
    let report = older.rooms.ledger.last_recoveries().await.expect("a row")[&0];
    let counts = [report.behind_a_gap, report.replayed, report.missing];
    assert_eq!(counts, [2, 2, 3]);
    assert!(report.may_have_lost);
    older.rooms.whole().await;
    let lost = older.rooms.commit("later-0").await.expect("an answer");
    assert!(lost.reasons.is_empty() && !lost.replayed, "booked as late");
    older.rooms.whole().await;
    older.end().await;
}
