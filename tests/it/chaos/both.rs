//! Faults of two things that come together.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    process::signal,
    strike::{Hand, state_of, stop},
};

/// A process that is away for longer is not waited for: what it acknowledged is then taken for lost, and its ends are booked.
const RETURNS: Duration = Duration::from_secs(15);

/// What only a publication says to Redis.
const PUBLICATION: &str = "redis.call('HSET', KEYS[1], 'ledger_n', ARGV[2])";

impl Hand<'_> {
    /// For a while nobody serves; the one that was stopped finds things as they were, the other starts anew.
    pub async fn kill_while_other_stopped(&mut self) -> bool {
        let victim = self.dice.below(2) as usize;
        let other = self.world.processes[1 - victim].pid();
        stop(other).await;
        self.any(20, 40).await;
        self.world.processes[victim].kill().await;
        self.any(20, 20).await;
        let seen = state_of(other) == Some('T');
        if self.dice.chance(50) {
            signal("CONT", other).await;
            self.world.processes[victim].run().await;
        } else {
            self.world.processes[victim].run().await;
            signal("CONT", other).await;
        }
        seen
    }

    /// Whoever acknowledged is gone, and so is whom it told: only Redis' file has what the ledger does not.
    pub async fn kill_redis_and_serving(&mut self) -> bool {
        let behind = self.world.behind(self.world.redis.port()).await;
        let victim = self.dice.below(2) as usize;
        let pid = self.world.processes[victim].pid();
        self.world.redis.kill().await.expect("killed");
        self.world.processes[victim].kill().await;
        drop(behind);
        self.any(10, 20).await;
        self.world.redis.restart().await.expect("it comes back");
        self.world.processes[victim].run().await;
        self.world.processes[victim].pid() != pid
    }

    /// Redis is emptied while a process stands still; when it goes on, the new era has had more entries than the one that it knows.
    /// What it replays then, and what it says of how far the ledger is, meets a Redis that is emptied once more.
    pub async fn flush_twice(&mut self) -> (u64, i64, bool) {
        let port = self.world.redis.port();
        let behind = self.world.behind(port).await;
        let pid = self.world.processes[self.dice.below(2) as usize].pid();
        stop(pid).await;
        let first = self.flush("FLUSHALL").await;
        drop(behind);
        let enough = timeout(RETURNS, self.acknowledged(100, 50)).await;
        let seen = enough.is_ok() && state_of(pid) == Some('T');
        signal("CONT", pid).await;
        self.acknowledged(20, 100).await;
        let _behind = self.world.behind(port).await;
        let (before, epoch) = (self.answers.count(), self.world.epoch().await);
        let again = self.flush("FLUSHALL").await;
        (before, epoch, first && seen && again)
    }

    /// A relay tells Redis how far the ledger is, and the network delivers that only when Redis has been emptied and goes on in a new era,
    /// whose entries have the same numbers. What is acknowledged from then on must still come back when Redis is emptied once more.
    pub async fn publish_late(&mut self) -> (u64, i64) {
        let port = self.world.redis.port();
        // The number that is told must be one that the new era does not reach soon.
        self.acknowledged(400, 200).await;
        self.world.proxy.keep_back(PUBLICATION).await;
        self.flush("FLUSHALL").await;
        self.world.opened().await;
        let _behind = self.world.behind(port).await;
        self.world.proxy.deliver().await;
        // Who has to ask the ledger waits for it, in the end everybody.
        self.any(40, 40).await;
        let (before, epoch) = (self.answers.count(), self.world.epoch().await);
        self.flush("FLUSHALL").await;
        (before, epoch)
    }
}
