//! How far the ledger is, in this process: who waits for the ledger waits here, without asking it.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::{Cursor, Ledger, LedgerError, PartitionRow, connect::SESSION, value};

/// A lost connection is made again after this long.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// The cursors are read this often, whatever notifications say: it also finds a dead connection.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// The ledger's cursor of each partition, as far as this process has heard. Clones are the same.
#[derive(Clone)]
pub struct Cursors(Arc<[watch::Sender<Cursor>]>);

impl Cursors {
    /// From what the ledger has, by partition.
    #[must_use]
    pub fn new(partitions: &[PartitionRow]) -> Self {
        Self(
            partitions
                .iter()
                .map(|row| watch::Sender::new(row.cursor))
                .collect(),
        )
    }

    /// The ledger has reached this. What is older than what is known is ignored.
    pub fn advance(&self, partition: u32, cursor: Cursor) {
        if let Some(known) = self.0.get(partition as usize) {
            known.send_if_modified(|known| {
                let further = cursor > *known;
                *known = cursor.max(*known);
                further
            });
        }
    }

    /// How far the ledger is; `None` for a partition that does not exist.
    #[must_use]
    pub fn current(&self, partition: u32) -> Option<Cursor> {
        self.0.get(partition as usize).map(|known| *known.borrow())
    }

    /// Waits until the ledger has entry `n` of the era. False when `limit` passes first, or the era does: then nobody here
    /// can tell.
    pub async fn wait_for(&self, partition: u32, epoch: u64, n: u64, limit: Duration) -> bool {
        let Some(known) = self.0.get(partition as usize) else {
            return false;
        };
        let (target, mut known) = (Cursor { epoch, n }, known.subscribe());
        let reached = tokio::time::timeout(limit, known.wait_for(|cursor| *cursor >= target)).await;
        matches!(reached, Ok(Ok(cursor)) if cursor.epoch == epoch)
    }
}

impl Ledger {
    /// Keeps `cursors` up to date with what any process posts. Runs until it is dropped.
    pub async fn watch_cursors(&self, cursors: &Cursors) {
        loop {
            if let Err(error) = self.listen(cursors).await {
                tracing::warn!(%error, "the ledger's notifications are interrupted");
            }
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }

    async fn listen(&self, cursors: &Cursors) -> Result<(), LedgerError> {
        let (client, mut connection) = self.config.connect(NoTls).await?;
        // The connection only moves while it is polled: what is heard, and what is asked below.
        let hear = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message?
                    && let Some((partition, cursor)) = parse(notification.payload())
                {
                    cursors.advance(partition, cursor);
                }
            }
            Ok(())
        };
        let ask = async {
            client.batch_execute(SESSION).await?;
            client.batch_execute("listen holdbook_ledger").await?;
            loop {
                tokio::time::timeout(REFRESH_INTERVAL, refresh(&client, cursors))
                    .await
                    .map_err(|_| {
                        LedgerError::Unavailable("the listening connection is silent".into())
                    })??;
                tokio::time::sleep(REFRESH_INTERVAL).await;
            }
        };
        tokio::select! {
            heard = pin!(hear) => heard,
            asked = pin!(ask) => asked,
        }
    }
}

async fn refresh(client: &Client, cursors: &Cursors) -> Result<(), LedgerError> {
    for row in client
        .query("select id, epoch, n from partitions", &[])
        .await?
    {
        let cursor = Cursor {
            epoch: value::unsigned(row.get(1))?,
            n: value::unsigned(row.get(2))?,
        };
        cursors.advance(value::unsigned_int(row.get(0))?, cursor);
    }
    Ok(())
}

/// `partition:epoch:n`, as the writer sends it.
fn parse(payload: &str) -> Option<(u32, Cursor)> {
    let mut parts = payload.split(':');
    let (partition, epoch, n) = (parts.next()?, parts.next()?, parts.next()?);
    Some((
        partition.parse().ok()?,
        Cursor {
            epoch: epoch.parse().ok()?,
            n: n.parse().ok()?,
        },
    ))
}
