//! How each fault is done: under load, at counts of acknowledgements, and put back by hand where the product cannot.

use std::{fs, path::Path};

use super::{
    fault::Fault,
    journal::Answers,
    process::signal,
    proxy::{Which, Wire},
    world::{self, World},
};
use crate::model::Dice;

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
        if matches!(fault, Fault::StaleReplicaPromoted | Fault::FailedBack) {
            self.world.follow().await;
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
            Fault::OldFileRestored => {
                before = self.restore_old_file().await;
                true
            }
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
                self.world.redis.pause().expect("it runs");
                // Every client gives up at least once, some calls wait to be answered late.
                answers.more_of_any(12).await;
                self.world.redis.resume().expect("it runs");
                true
            }
            Fault::StreamDeleted => {
                let _behind = self.world.behind(self.world.redis.port()).await;
                before = answers.count();
                self.delete("hb:*:log", usize::MAX).await
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
        };
        Struck {
            before,
            epoch,
            seen,
        }
    }

    async fn acknowledged(&mut self, least: u64, more: u64) {
        let count = least + self.dice.below(more);
        self.answers.more_acknowledged(count).await;
    }

    async fn any(&mut self, least: u64, more: u64) {
        let count = least + self.dice.below(more);
        self.answers.more_of_any(count).await;
    }

    async fn kill_serving(&mut self) -> bool {
        let victim = self.dice.below(2) as usize;
        let pid = self.world.processes[victim].pid();
        self.world.processes[victim].kill().await;
        self.any(20, 40).await;
        self.world.processes[victim].run().await;
        self.world.processes[victim].pid() != pid
    }

    async fn flush(&mut self, command: &str) -> bool {
        let said: String = World::redis_says(self.world.redis.port(), command).await;
        said == "OK"
    }

    async fn flush_program(&mut self) -> bool {
        let client = world::client(self.world.redis.port());
        let mut connection = world::connect(&client).await;
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
        let mut keys: Vec<String> = World::redis_says(port, &format!("KEYS {pattern}")).await;
        keys.sort();
        let from = self.dice.below(keys.len().max(1) as u64) as usize;
        keys.rotate_left(from);
        keys.truncate(most);
        let deleted: usize = World::redis_says(port, &format!("DEL {}", keys.join(" "))).await;
        deleted > 0 && deleted == keys.len()
    }

    async fn cut(&mut self, wire: Wire) -> bool {
        let times = 1 + self.dice.below(12);
        self.world.proxy.cut(wire, times).await;
        true
    }

    async fn pause_serving(&mut self) -> bool {
        let pid = self.world.processes[self.dice.below(2) as usize].pid();
        signal("STOP", pid).await;
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

    /// The replica's link is cut, the primary goes on; then the service's address leads to the replica. The old primary goes on
    /// answering whoever is still connected.
    async fn promote_stale(&mut self) -> u64 {
        let replica = self.world.promote().await;
        self.acknowledged(50, 200).await;
        let _behind = self.world.behind(self.world.redis.port()).await;
        let before = self.answers.count();
        self.world.proxy.point_to(replica);
        if self.dice.chance(50) {
            self.world.proxy.hang_up(Which::Half);
            self.any(50, 100).await;
        }
        self.world.proxy.hang_up(Which::All);
        before
    }

    /// To the replica, in good order as far as anybody can tell, and back to the old primary, whose data has become old.
    async fn fail_back(&mut self) -> (u64, i64) {
        let replica = self.world.promote().await;
        self.world.proxy.point_to(replica);
        self.world.proxy.hang_up(Which::All);
        self.world.opened().await;
        self.acknowledged(50, 200).await;
        let _behind = self.world.behind(replica).await;
        let (epoch, before) = (self.world.epoch().await, self.answers.count());
        self.world.proxy.point_to(self.world.redis.port());
        self.world.proxy.hang_up(Which::All);
        (before, epoch)
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

fn state_of(pid: u32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("processes");
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}
