//! Faults with a second Redis: the service's address leads to another server, or to one that has become another's copy.

use tokio::time;

use super::{proxy::Which, server, strike::Hand, world::LOOK};

impl Hand<'_> {
    /// Starts a replica and waits until it follows.
    pub async fn follow(&mut self) {
        let replica = server::start(self.world.folder.join("replica"), Vec::new()).await;
        let of = format!("REPLICAOF 127.0.0.1 {}", self.world.redis.port());
        let _: String = server::says(replica.port(), &of).await;
        has_copied(replica.port()).await;
        self.world.other = Some(replica);
    }

    /// Makes the replica a primary of its own, as it is now; answers its port.
    async fn promote(&mut self) -> u16 {
        let port = self.world.other.as_ref().expect("a replica").port();
        let _: String = server::says(port, "REPLICAOF NO ONE").await;
        port
    }

    /// The replica's link is cut, the primary goes on; then the service's address leads to the replica. The old primary goes on
    /// answering whoever is still connected.
    pub async fn promote_stale(&mut self) -> u64 {
        let replica = self.promote().await;
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
    pub async fn fail_back(&mut self) -> (u64, i64) {
        let replica = self.promote().await;
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

    /// The primary becomes the copy of its stale replica, and primary again: the same process, the same connections, the same era, and
    /// nobody wrote at the replica. Of what a call names only the replication id is another.
    pub async fn demote_and_return(&mut self) -> u64 {
        let (primary, replica) = (self.world.redis.port(), self.promote().await);
        self.acknowledged(50, 200).await;
        let _behind = self.world.behind(primary).await;
        let before = self.answers.count();
        let of = format!("REPLICAOF 127.0.0.1 {replica}");
        let _: String = server::says(primary, &of).await;
        has_copied(primary).await;
        let _: String = server::says(primary, "REPLICAOF NO ONE").await;
        before
    }
}

/// Waits until a replica has all that its primary has.
async fn has_copied(replica: u16) {
    loop {
        let info: String = server::says(replica, "INFO replication").await;
        if info.contains("master_link_status:up") {
            return;
        }
        time::sleep(LOOK).await;
    }
}
