//! Writes a batch: events and transfers by binary `COPY`, the rest one statement per table.

use std::{
    collections::{BTreeMap, HashMap},
    pin::pin,
};

use tokio_postgres::{
    Transaction,
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};

use super::{
    batch::Batch,
    columns,
    error::{DataError, LedgerError, WriteError},
    grant_names::{GrantName, GrantNames, kind_from_name},
    statements::Statements,
    value,
};
use crate::domain::{
    event::{Entry, Event},
    posting::Transfer,
};

/// The names of the grants of one batch.
pub(super) type Names<'a> = HashMap<(&'a str, u32), GrantName>;

const EVENT_COLUMNS: [Type; 12] = [
    Type::INT4,
    Type::INT8,
    Type::INT8,
    Type::INT4,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::BYTEA,
];

const TRANSFER_COLUMNS: [Type; 16] = [
    Type::TEXT,
    Type::INT8,
    Type::INT2,
    Type::TEXT,
    Type::TEXT,
    Type::NUMERIC,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

/// Writes the whole batch, or fails as a whole; the transaction is the caller's.
pub(super) async fn write(
    tx: &Transaction<'_>,
    statements: &Statements,
    known: &GrantNames,
    partition: u32,
    batch: &Batch<'_>,
) -> Result<(), WriteError> {
    let names = names(tx, statements, known, batch).await?;
    let accounts = columns::Accounts::of(partition, batch)?;
    let new_grants = columns::NewGrants::of(batch)?;
    let grants = columns::Grants::of(batch)?;
    let closed = columns::Closed::of(batch)?;
    let holds = columns::Holds::of(batch)?;
    let subscriptions = columns::Subscriptions::of(batch)?;
    let bills = columns::Bills::of(batch)?;
    let levels = columns::Levels::of(batch)?;
    copy_events(tx, statements, batch).await?;
    copy_transfers(tx, statements, batch, &names).await?;
    // Sent together, answered in order; each is looked at in that order, so that the first cause is the one reported.
    let (created, updated, granted, changed, ended, held, subscribed, billed, measured) = tokio::join!(
        accounts.new.execute(tx, &statements.insert_accounts),
        accounts.old.execute(tx, &statements.update_accounts),
        new_grants.execute(tx, &statements.insert_grants),
        grants.execute(tx, &statements.update_grants),
        closed.execute(tx, &statements.close_grants),
        holds.execute(tx, &statements.upsert_holds),
        subscriptions.execute(tx, &statements.upsert_subscriptions),
        bills.execute(tx, &statements.insert_bills),
        levels.execute(tx, &statements.upsert_levels),
    );
    created?;
    complete(
        updated?,
        accounts.old.len(),
        "an account is not where this event follows",
    )?;
    granted?;
    complete(
        changed?,
        grants.len(),
        "a grant that this event changes does not exist",
    )?;
    ended?;
    complete(
        held?,
        holds.len(),
        "a hold's number belongs to another hold",
    )?;
    subscribed?;
    billed?;
    measured?;
    Ok(())
}

/// Newer images for accounts whose events wait.
pub(super) async fn write_images(
    tx: &Transaction<'_>,
    statements: &Statements,
    images: &columns::Images<'_>,
) -> Result<(), WriteError> {
    images.execute(tx, &statements.update_images).await?;
    Ok(())
}

fn complete(found: u64, expected: usize, otherwise: &str) -> Result<(), WriteError> {
    if usize::try_from(found) == Ok(expected) {
        Ok(())
    } else {
        Err(DataError(otherwise.into()).into())
    }
}

/// What the batch's grants are called: made here, remembered, or looked up.
async fn names<'a>(
    tx: &Transaction<'_>,
    statements: &Statements,
    known: &GrantNames,
    batch: &Batch<'a>,
) -> Result<Names<'a>, WriteError> {
    let mut names: Names<'a> = batch.new_names().collect();
    let mut missing: (Vec<&'a str>, Vec<i32>) = (Vec::new(), Vec::new());
    for &(account, no) in batch.grants.keys() {
        match known.get(account, no) {
            Some(name) => drop(names.insert((account, no), name)),
            None => {
                missing.0.push(account);
                missing.1.push(value::int(no)?);
            }
        }
    }
    if missing.0.is_empty() {
        return Ok(names);
    }
    for row in tx
        .query(&statements.grant_names, &[&missing.0, &missing.1])
        .await?
    {
        // 1 is the first: `with ordinality` counts from there.
        let at = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
        let kind: &str = row.get(2);
        let (Some(account), Some(no), Some(kind)) =
            (missing.0.get(at), missing.1.get(at), kind_from_name(kind))
        else {
            return Err(
                LedgerError::Bug(format!("grant kind {kind} in the ledger is none")).into(),
            );
        };
        let name = GrantName {
            grant_id: row.get::<_, &str>(1).into(),
            kind,
        };
        names.insert((account, value::unsigned_int(*no)?), name);
    }
    Ok(names)
}

async fn copy_events(
    tx: &Transaction<'_>,
    statements: &Statements,
    batch: &Batch<'_>,
) -> Result<(), WriteError> {
    if batch.events.is_empty() {
        return Ok(());
    }
    let sink = tx.copy_in(&statements.copy_events).await?;
    let mut copy = pin!(BinaryCopyInWriter::new(sink, &EVENT_COLUMNS));
    for (event, _) in &batch.events {
        let at = event.position;
        let hold = event
            .fact
            .hold()
            .map(|fact| value::bigint(fact.hold.sequence))
            .transpose()?;
        let row: [&(dyn ToSql + Sync); 12] = [
            &value::int(at.partition)?,
            &value::bigint(at.epoch)?,
            &value::bigint(at.n)?,
            &value::int(at.index)?,
            &event.account,
            &value::bigint(event.sequence)?,
            &event.fact.deed(),
            &event.fact.name(),
            &hold,
            &event.actor,
            &value::instant(event.occurred_at)?,
            &event.raw,
        ];
        copy.as_mut().write(&row).await?;
    }
    copy.finish().await?;
    Ok(())
}

async fn copy_transfers(
    tx: &Transaction<'_>,
    statements: &Statements,
    batch: &Batch<'_>,
    names: &Names<'_>,
) -> Result<(), WriteError> {
    if batch
        .events
        .iter()
        .all(|(_, transfers)| transfers.is_empty())
    {
        return Ok(());
    }
    let sink = tx.copy_in(&statements.copy_transfers).await?;
    let mut copy = pin!(BinaryCopyInWriter::new(sink, &TRANSFER_COLUMNS));
    for (event, transfers) in &batch.events {
        for transfer in transfers {
            copy_transfer(copy.as_mut(), event, transfer, names).await?;
        }
    }
    copy.finish().await?;
    Ok(())
}

async fn copy_transfer(
    copy: std::pin::Pin<&mut BinaryCopyInWriter>,
    event: &Event,
    transfer: &Transfer,
    names: &Names<'_>,
) -> Result<(), WriteError> {
    let name_of = |no: u32| match no {
        0 => Ok(None),
        _ => names
            .get(&(event.account.as_str(), no))
            .map(Some)
            .ok_or_else(|| {
                DataError(format!(
                    "grant number {no}, whose credits this event moves, does not exist"
                ))
            }),
    };
    let (grant, to_grant) = (name_of(transfer.grant_no)?, name_of(transfer.to_grant_no)?);
    let hold = event.fact.hold();
    let row: [&(dyn ToSql + Sync); 16] = [
        &event.account,
        &value::bigint(event.sequence)?,
        &value::smallint(transfer.line)?,
        &transfer.debit.name(),
        &transfer.credit.name(),
        &transfer.amount.to_decimal(),
        &value::optional_int(transfer.grant_no)?,
        &grant.map(|name| name.grant_id.as_ref()),
        &grant.map(|name| name.kind.name()),
        &value::optional_int(transfer.to_grant_no)?,
        &to_grant.map(|name| name.grant_id.as_ref()),
        &hold
            .map(|fact| value::bigint(fact.hold.sequence))
            .transpose()?,
        &hold.map(|fact| fact.hold_id.as_str()),
        &event.fact.name(),
        &event.actor,
        &value::instant(event.occurred_at)?,
    ];
    copy.write(&row).await?;
    Ok(())
}

/// The spent grants of accounts where they changed; the latest of an account counts.
pub(super) async fn write_spent(
    tx: &Transaction<'_>,
    statements: &Statements,
    entries: &[Entry],
) -> Result<(), WriteError> {
    let latest: BTreeMap<&str, &[u8]> = entries
        .iter()
        .flat_map(|entry| &entry.spent)
        .map(|(account, spent)| (account.as_str(), spent.as_slice()))
        .collect();
    if latest.is_empty() {
        return Ok(());
    }
    let (accounts, spent): (Vec<_>, Vec<_>) = latest.into_iter().unzip();
    tx.execute(&statements.update_spent, &[&accounts, &spent])
        .await?;
    Ok(())
}

/// What Redis keeps of the plans that changed; the latest of an account counts.
pub(super) async fn write_plans(
    tx: &Transaction<'_>,
    statements: &Statements,
    entries: &[Entry],
) -> Result<(), WriteError> {
    let all = entries.iter().flat_map(|entry| &entry.plans);
    let latest: BTreeMap<&str, (&[u8], &[u8])> = all
        .map(|it| {
            (
                it.account.as_str(),
                (it.plan.as_slice(), it.record.as_slice()),
            )
        })
        .collect();
    if latest.is_empty() {
        return Ok(());
    }
    let (accounts, (plans, records)): (Vec<_>, (Vec<_>, Vec<_>)) = latest.into_iter().unzip();
    tx.execute(&statements.upsert_plans, &[&accounts, &plans, &records])
        .await?;
    Ok(())
}

/// What was spent under spend caps, where it changed; the latest counts.
pub(super) async fn write_spending(
    tx: &Transaction<'_>,
    statements: &Statements,
    entries: &[Entry],
) -> Result<(), WriteError> {
    let all = entries.iter().flat_map(|entry| &entry.spending);
    let columns = columns::Spendings::of(all)?;
    columns.execute(tx, &statements.upsert_spending).await?;
    Ok(())
}
