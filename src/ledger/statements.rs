//! The statements of a posting connection, prepared once.

use tokio_postgres::{Client, Statement};

use super::LedgerError;

/// By what they do.
pub(super) struct Statements {
    pub move_cursor: Statement,
    pub lock_partition: Statement,
    pub waiting: Statement,
    pub at_position: Statement,
    pub copy_events: Statement,
    pub copy_transfers: Statement,
    pub insert_accounts: Statement,
    pub update_accounts: Statement,
    pub update_images: Statement,
    pub update_spent: Statement,
    pub upsert_plans: Statement,
    pub upsert_spending: Statement,
    pub upsert_subscriptions: Statement,
    pub insert_bills: Statement,
    pub upsert_levels: Statement,
    pub insert_grants: Statement,
    pub update_grants: Statement,
    pub close_grants: Statement,
    pub upsert_holds: Statement,
    pub grant_names: Statement,
    pub quarantine_events: Statement,
    pub waiting_events: Statement,
    pub count_waiting: Statement,
    pub resolve: Statement,
    pub notify: Statement,
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Self, LedgerError> {
        let sql = |text: &'static str| client.prepare(text);
        Ok(Self {
            move_cursor: sql(
                "update partitions set n = $4 where id = $1 and epoch = $2 and n = $3",
            )
            .await?,
            lock_partition: sql("select from partitions where id = $1 for update").await?,
            waiting: sql(include_str!("sql/waiting_accounts.sql")).await?,
            at_position: sql(include_str!("sql/event_at_position.sql")).await?,
            copy_events: sql(include_str!("sql/copy_events.sql")).await?,
            copy_transfers: sql(include_str!("sql/copy_transfers.sql")).await?,
            insert_accounts: sql(include_str!("sql/insert_accounts.sql")).await?,
            update_accounts: sql(include_str!("sql/update_accounts.sql")).await?,
            update_images: sql(include_str!("sql/update_images.sql")).await?,
            update_spent: sql(include_str!("sql/update_spent.sql")).await?,
            upsert_plans: sql(include_str!("sql/upsert_account_plans.sql")).await?,
            upsert_spending: sql(include_str!("sql/upsert_spending.sql")).await?,
            upsert_subscriptions: sql(include_str!("sql/upsert_subscriptions.sql")).await?,
            upsert_levels: sql(include_str!("sql/upsert_levels.sql")).await?,
            insert_bills: sql(include_str!("sql/insert_bills.sql")).await?,
            insert_grants: sql(include_str!("sql/insert_grants.sql")).await?,
            update_grants: sql(include_str!("sql/update_grants.sql")).await?,
            close_grants: sql(include_str!("sql/close_grants.sql")).await?,
            upsert_holds: sql(include_str!("sql/upsert_holds.sql")).await?,
            grant_names: sql(include_str!("sql/grant_names.sql")).await?,
            quarantine_events: sql(include_str!("sql/quarantine_events.sql")).await?,
            waiting_events: sql(include_str!("sql/waiting_events.sql")).await?,
            count_waiting: sql(include_str!("sql/count_waiting.sql")).await?,
            resolve: sql(include_str!("sql/resolve_quarantined.sql")).await?,
            notify: sql("select pg_notify('holdbook_ledger', $1)").await?,
        })
    }
}
