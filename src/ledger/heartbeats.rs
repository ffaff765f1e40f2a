//! Signs of life of serving processes: up to which era each has nothing left to replay.

use std::time::Duration;

use super::{Ledger, LedgerError, value};

impl Ledger {
    /// A name that no other process has.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn new_process_id(&self) -> Result<String, LedgerError> {
        let rows = self.rows("select gen_random_uuid()::text", &[]).await?;
        let row = rows
            .first()
            .ok_or_else(|| LedgerError::Bug("a select without a row".into()))?;
        Ok(row.get(0))
    }

    /// A process is alive and has nothing left to replay of before `epoch` in a partition.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn heartbeat(
        &self,
        process: &str,
        partition: u32,
        epoch: u64,
    ) -> Result<(), LedgerError> {
        let sql =
            "insert into heartbeats (process, partition, epoch) values ($1::text::uuid, $2, $3)
            on conflict (process, partition) do update set epoch = excluded.epoch, seen_at = now()";
        let (id, era) = (value::int(partition)?, value::bigint(epoch)?);
        self.rows(sql, &[&process, &id, &era]).await.map(drop)
    }

    /// Whether a process that was alive `within`, another than `except`, may have something to replay of before `epoch`.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn replays_awaited(
        &self,
        partition: u32,
        epoch: u64,
        within: Duration,
        except: Option<&str>,
    ) -> Result<bool, LedgerError> {
        let sql = "select exists (select from heartbeats
            where partition = $1 and epoch < $2 and seen_at > now() - $3::bigint * interval '1 second'
            and process is distinct from $4::text::uuid)";
        let (id, era) = (value::int(partition)?, value::bigint(epoch)?);
        let span = value::bigint(within.as_secs())?;
        let rows = self.rows(sql, &[&id, &era, &span, &except]).await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    /// A process has ended; with it go the rows of those that died long ago.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn end_heartbeat(&self, process: &str) -> Result<(), LedgerError> {
        let sql = "delete from heartbeats where process = $1::text::uuid or seen_at < now() - interval '1 day'";
        self.rows(sql, &[&process]).await.map(drop)
    }
}
