//! Redis goes back when two processes have acknowledged what builds on each other: each replays its own, in whatever order they come.

use holdbook::reconcile::{Replays, SecondCopy};

use tokio::sync::watch;

use super::*;

/// What a serving process has of this.
struct Process {
    memory: Memory,
    copy: SecondCopy,
    replays: Replays,
}

impl Process {
    /// Alive in the era of now, with nothing to replay.
    async fn start(rooms: &Rooms) -> Self {
        let copy = SecondCopy::new(1, 100);
        let memory = rooms.memory().keeping(copy.clone());
        let instruments = Metrics::local().expect("metrics").instruments();
        let (ledger, waits) = (rooms.ledger.clone(), rooms.waits.clone());
        let replays = Replays::new(memory.clone(), copy.clone(), waits, ledger, instruments);
        let process = Self {
            memory,
            copy,
            replays: replays.await.expect("an id"),
        };
        process.replay(rooms).await;
        process
    }

    /// While a relay runs: what is loaded waits for the ledger.
    async fn replay(&self, rooms: &Rooms) {
        let epoch = rooms.holds.era(0).epoch;
        let (stop, stopped) = watch::channel(false);
        let relay = tokio::spawn(rooms.relay().run(stopped));
        self.replays.step(0, epoch).await.expect("Postgres answers");
        stop.send_replace(true);
        relay.await.expect("it stops");
    }
}

/// A refund of one process is refused until the other has replayed the commit: it is kept and tried again, and not given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_waits_for_what_it_builds_on() {
    let rooms = Rooms::open().await;
    rooms.fund().await;
    rooms.reserve("frame").await.expect("a hold");
    rooms.whole().await;
    let (one, other) = (Process::start(&rooms).await, Process::start(&rooms).await);
    let commit = Rooms::commit_of("frame");
    rooms.run_by(&one.memory, commit).await.expect("a commit");
    let refund = Verb::Refund {
        hold_id: "frame".into(),
        refund_id: "sorry".into(),
        amount: credits("1"),
    };
    let refunded = rooms.run_by(&other.memory, refund).await;
    let before = refunded.expect("a refund").balance.free;
    assert_eq!(before, credits("999.5"));

    let url = rooms.redis.lock().await.url();
    support::redis_says(url, "FLUSHALL").await;
    assert_eq!(rooms.recover().await, Look::Recovered);
    other.replay(&rooms).await;
    assert_eq!(other.copy.len(0), 1, "refused, and kept");
    one.replay(&rooms).await;
    rooms.whole().await;
    other.replay(&rooms).await;
    let after = rooms.run(Verb::Read).await.expect("an answer");
    assert_eq!(after.balance.free, before);
    rooms.whole().await;
}
