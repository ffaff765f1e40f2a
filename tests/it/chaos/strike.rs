//! How each fault is done: under load, at counts of acknowledgements, and put back by hand where the product cannot.

use std::{fs, path::Path, time::Duration};

use tokio::time;

use super::{
    fault::Fault,
    journal::Answers,
    process::signal,
    proxy::Wire,
    run::CLIENTS,
    server,
    world::{LOOK, World},
};
use crate::model::Dice;

/// So many clients at least give up a call while Redis is stopped.
const GIVE_UP: u64 = 12;

/// What a fault left behind.
pub struct Struck {
    /// The last acknowledgement before it.
    pub before: u64,
    /// The newest era before it.
    pub epoch: i64,
    /// Whoever struck saw what it did.
    pub seen: bool,
}

/// Everything that a strike needs.
pub struct Hand<'a> {
    pub world: &'a mut World,
    pub answers: &'a Answers,
    pub dice: &'a mut Dice,
}

impl Hand<'_> {
    /// Breaks something and puts it back; the service is left to recover by itself.
    pub async fn strike(mut self, fault: Fault) -> Struck {
        let answers = self.answers;
        let copied = [
            Fault::StaleReplicaPromoted,
            Fault::FailedBack,
            Fault::DemotedAndReturned,
        ];
        if copied.contains(&fault) {
            self.follow().await;
            // A first replica gives the primary another replication id: that alone is a recovery.
            self.world.opened().await;
        }
        self.acknowledged(100, 100).await;
        let mut epoch = self.world.epoch().await;
        let mut before = answers.count();
        let seen = match fault {
            Fault::ServingKilled => self.kill_serving().await,
            Fault::RedisKilled => {
                self.world.redis.kill().await.expect("killed");
                self.world.redis.restart().await.expect("it comes back");
                true
            }
            Fault::RedisFlushed => {
                let _behind = self.world.behind(self.world.redis.port()).await;
                before = answers.count();
                self.flush("FLUSHALL").await
            }
            Fault::RedisEmpty => {
                let _behind = self.world.behind(self.world.redis.port()).await;
                self.world.redis.kill().await.expect("killed");
                before = answers.count();
                fs::remove_dir_all(self.world.append_only()).expect("its file is gone");
                self.world.redis.restart().await.expect("it comes back");
                true
            }
            Fault::StaleReplicaPromoted => {
                before = self.promote_stale().await;
                true
            }
            Fault::FailedBack => {
                (before, epoch) = self.fail_back().await;
                true
            }
            Fault::DemotedAndReturned => {
                before = self.demote_and_return().await;
                true
            }
            Fault::OldFileRestored => {
                before = self.restore_old_file().await;
                true
            }
            Fault::DiskSlow => self.slow_disk().await,
            Fault::ClockForwards => self.step_clock(1, &mut before).await,
            Fault::ClockBackwards => self.step_clock(-1, &mut before).await,
            Fault::RelayCut => self.cut_relay().await,
            Fault::KilledWhileOtherStopped => self.kill_while_other_stopped().await,
            Fault::CutAfterServer => self.cut(Wire::CutAfterServer).await,
            Fault::CutBeforeServer => self.cut(Wire::CutBeforeServer).await,
            Fault::PostgresKilled => {
                self.world.postgres.kill().await.expect("killed");
                answers.more_of_any(20).await;
                self.postgres_comes_back().await
            }
            Fault::PostgresStopped => {
                self.world.postgres.stop().await.expect("stopped");
                self.any(200, 200).await;
                self.postgres_comes_back().await
            }
            Fault::PostgresPaused => self.pause_postgres().await,
            Fault::ServingPaused => self.pause_serving().await,
            Fault::RedisPaused => {
                let pid = self.world.redis.pid().expect("it runs");
                stop(pid).await;
                // At most one answer a client was on its way.
                answers.more_of_any(CLIENTS + GIVE_UP).await;
                signal("CONT", pid).await;
                true
            }
            Fault::StreamDeleted => {
                let behind = self.world.behind(self.world.redis.port()).await;
                before = answers.count();
                let deleted = self.delete("hb:*:log", usize::MAX).await;
                // What a relay has read meanwhile would go on living in it.
                cut_waiting(&behind).await;
                deleted
            }
            Fault::AccountDeleted => self.delete("hb:*:a:*", 1).await,
            Fault::ProgramFlushed => self.flush_program().await,
            Fault::FlushedAndServingKilled => {
                let behind = self.world.behind(self.world.redis.port()).await;
                before = answers.count();
                let flushed = self.flush("FLUSHALL").await;
                drop(behind);
                flushed && self.kill_serving().await
            }
            Fault::RedisAndServingKilled => self.kill_redis_and_serving().await,
            Fault::FlushedTwice => {
                let seen;
                (before, epoch, seen) = self.flush_twice().await;
                seen
            }
            Fault::PublicationLate => {
                (before, epoch) = self.publish_late().await;
                true
            }
            Fault::CallCutShort => self.cut_calls_short().await,
        };
        Struck {
            before,
            epoch,
            seen,
        }
    }

    pub async fn acknowledged(&mut self, least: u64, more: u64) {
        let count = least + self.dice.below(more);
        self.answers.more_acknowledged(count).await;
    }

    pub async fn any(&mut self, least: u64, more: u64) {
        let count = least + self.dice.below(more);
        self.answers.more_of_any(count).await;
    }

    pub async fn kill_serving(&mut self) -> bool {
        let victim = self.dice.below(2) as usize;
        let pid = self.world.processes[victim].pid();
        self.world.processes[victim].kill().await;
        self.any(20, 40).await;
        self.world.processes[victim].run().await;
        self.world.processes[victim].pid() != pid
    }

    /// A relay loses its connection in the middle of a batch: alone it cannot die, it is a part of its serving process.
    async fn cut_relay(&mut self) -> bool {
        let ledger = self.world.ledger().await;
        for _ in 0..1 + self.dice.below(4) {
            let locked = ledger.batch_execute("begin; lock table transfers in share mode");
            locked.await.expect("the ledger answers");
            while !cut_waiting(&ledger).await {
                time::sleep(LOOK).await;
            }
            let ended = ledger.batch_execute("rollback").await;
            ended.expect("the ledger answers");
            self.acknowledged(10, 50).await;
        }
        true
    }

    /// Redis' own latency monitor says whether it waited.
    async fn slow_disk(&mut self) -> bool {
        // The last is more than the service waits for an answer.
        let (ms, times) = self
            .dice
            .pick(&[(100, 30), (200, 20), (1000, 4), (6000, 2)]);
        let port = self.world.redis.port();
        let _: String = server::says(port, "CONFIG SET latency-monitor-threshold 50").await;
        let dials = &self.world.dials;
        let until = dials.delayed() + times;
        dials.slow_disk(Duration::from_millis(ms));
        while dials.delayed() < until {
            time::sleep(LOOK).await;
        }
        dials.slow_disk(Duration::ZERO);
        let waited: Vec<(i64, u64)> = server::says(port, "LATENCY HISTORY aof-fsync-always").await;
        waited.iter().any(|(_, took)| *took >= ms)
    }

    /// By less than holds live. It may come back, and Redis may be lost while it is wrong.
    async fn step_clock(&mut self, sign: i64, before: &mut u64) -> bool {
        let port = self.world.redis.port();
        let step = sign * (30 + self.dice.below(31) as i64);
        let (was, _): (i64, i64) = server::says(port, "TIME").await;
        self.world.dials.turn_clock(step);
        let (is, _): (i64, i64) = server::says(port, "TIME").await;
        self.acknowledged(100, 100).await;
        if self.dice.chance(50) {
            let _behind = self.world.behind(port).await;
            *before = self.answers.count();
            self.flush("FLUSHALL").await;
        }
        if self.dice.chance(50) {
            self.acknowledged(50, 50).await;
            self.world.dials.turn_clock(0);
        }
        (is - was - step).abs() < step.abs() / 2
    }

    pub async fn flush(&mut self, command: &str) -> bool {
        let said: String = server::says(self.world.redis.port(), command).await;
        said == "OK"
    }

    async fn flush_program(&mut self) -> bool {
        let client = server::client(self.world.redis.port());
        let mut connection = server::connect(&client).await;
        let mut flush = redis::pipe();
        flush.atomic().cmd("SCRIPT").arg("FLUSH").ignore();
        flush.cmd("FUNCTION").arg("FLUSH").ignore();
        flush.cmd("FUNCTION").arg("LIST");
        let (left,): (Vec<redis::Value>,) = flush
            .query_async(&mut connection)
            .await
            .expect("Redis does it");
        left.is_empty()
    }

    /// Deletes keys, at most so many; says whether there were any.
    async fn delete(&mut self, pattern: &str, most: usize) -> bool {
        let port = self.world.redis.port();
        let mut keys: Vec<String> = server::says(port, &format!("KEYS {pattern}")).await;
        keys.sort();
        let from = self.dice.below(keys.len().max(1) as u64) as usize;
        keys.rotate_left(from);
        keys.truncate(most);
        let deleted: usize = server::says(port, &format!("DEL {}", keys.join(" "))).await;
        deleted > 0 && deleted == keys.len()
    }

    /// One command of the program's is forbidden for a while, until calls were refused by it.
    async fn cut_calls_short(&mut self) -> bool {
        let (port, command) = (
            self.world.redis.port(),
            self.dice.pick(&["set", "hset", "xadd"]),
        );
        let _: String = server::says(port, &format!("ACL SETUSER default -{command}")).await;
        let refused = || async {
            let log: Vec<redis::Value> = server::says(port, "ACL LOG").await;
            !log.is_empty()
        };
        while !refused().await {
            time::sleep(LOOK).await;
        }
        self.any(10, 50).await;
        let _: String = server::says(port, &format!("ACL SETUSER default +{command}")).await;
        true
    }

    async fn cut(&mut self, wire: Wire) -> bool {
        let times = 1 + self.dice.below(12);
        self.world.proxy.cut(wire, times).await;
        true
    }

    async fn pause_serving(&mut self) -> bool {
        let pid = self.world.processes[self.dice.below(2) as usize].pid();
        stop(pid).await;
        self.acknowledged(40, 40).await;
        let seen = state_of(pid) == Some('T');
        signal("CONT", pid).await;
        seen
    }

    /// Says whether it was away until now.
    async fn postgres_comes_back(&mut self) -> bool {
        let url = &self.world.postgres_url;
        let away = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .is_err();
        self.world.postgres.restart().await.expect("it comes back");
        away
    }

    async fn pause_postgres(&mut self) -> bool {
        let first = self.world.postgres.pid().expect("it runs");
        // The first, so that no further one is made.
        signal("STOP", first).await;
        let others = children_of(first);
        for pid in &others {
            signal("STOP", *pid).await;
        }
        self.any(100, 100).await;
        let seen = state_of(first) == Some('T') && !others.is_empty();
        for pid in others {
            signal("CONT", pid).await;
        }
        signal("CONT", first).await;
        seen
    }

    /// The copy of the file is older than what was acknowledged meanwhile.
    async fn restore_old_file(&mut self) -> u64 {
        let (file, copy) = (self.world.append_only(), self.world.folder.join("copy"));
        copy_folder(&file, &copy);
        self.acknowledged(50, 200).await;
        let _behind = self.world.behind(self.world.redis.port()).await;
        self.world.redis.kill().await.expect("killed");
        let before = self.answers.count();
        fs::remove_dir_all(&file).expect("the newer file is gone");
        copy_folder(&copy, &file);
        self.world.redis.restart().await.expect("it comes back");
        before
    }
}

/// Ends the connections that wait to write transfers, and what they have in hand; says whether there were any.
async fn cut_waiting(ledger: &tokio_postgres::Client) -> bool {
    let sql = "select pg_terminate_backend(pid) from pg_locks where relation = 'transfers'::regclass and not granted";
    let cut = ledger.query(sql, &[]).await.expect("the ledger answers");
    cut.iter().any(|row| row.get(0))
}

/// Stops a process and waits until it is.
pub async fn stop(pid: u32) {
    signal("STOP", pid).await;
    while state_of(pid) != Some('T') {
        time::sleep(LOOK).await;
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for file in fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

/// `/proc/<pid>/stat` after the name, which may contain anything: state and parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

pub fn state_of(pid: u32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("processes");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}
