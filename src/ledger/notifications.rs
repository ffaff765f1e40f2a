//! Hearing how far the ledger is when another process moves it: by Postgres' notifications, and by asking now and then.

use std::{future::poll_fn, pin::pin, time::Duration};

use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::{
    Cursor, Ledger, LedgerError,
    connect::{SESSION, bounded},
    value,
};

/// A lost connection is made again after this long.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// The cursors are read this often, whatever notifications say: it also finds a dead connection.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

impl Ledger {
    /// Tells how far the ledger is in a partition, first of all and then whenever any process moves it, until the flag is
    /// raised. The same may be told twice, and late.
    pub async fn watch_cursors(self, tell: impl Fn(u32, Cursor), mut stop: watch::Receiver<bool>) {
        let watch = async {
            loop {
                if let Err(error) = self.listen(&tell).await {
                    tracing::warn!(%error, "the ledger's notifications are interrupted");
                }
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        };
        tokio::select! {
            () = watch => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn listen(&self, tell: &impl Fn(u32, Cursor)) -> Result<(), LedgerError> {
        let up = async { Ok::<_, LedgerError>(self.config.connect(NoTls).await?) };
        let (client, mut connection) = bounded(self.limit, up).await?;
        // The connection only moves while it is polled: what is heard, and what is asked below.
        let hear = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message?
                    && let Some((partition, cursor)) = parse(notification.payload())
                {
                    tell(partition, cursor);
                }
            }
            Err(LedgerError::Unavailable(
                "the listening connection ended".into(),
            ))
        };
        let ask = async {
            bounded(self.limit, async {
                client.batch_execute(SESSION).await?;
                let listening = client.batch_execute("listen holdbook_ledger").await;
                listening.map_err(LedgerError::from)
            })
            .await?;
            loop {
                tokio::time::timeout(REFRESH_INTERVAL, refresh(&client, tell))
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

async fn refresh(client: &Client, tell: &impl Fn(u32, Cursor)) -> Result<(), LedgerError> {
    for row in client
        .query("select id, epoch, n from partitions", &[])
        .await?
    {
        let cursor = Cursor {
            epoch: value::unsigned(row.get(1))?,
            n: value::unsigned(row.get(2))?,
        };
        tell(value::unsigned_int(row.get(0))?, cursor);
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
