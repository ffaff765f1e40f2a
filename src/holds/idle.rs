//! Walking over the accounts that Redis has, and dropping those that nobody uses.
//!
//! Owns what idle means here: nothing was written since an instant. That is read from the state itself, so no call pays for it; an
//! account that is only looked at is dropped, too, and loaded again by the next look, which counts as a write.

use super::{Holds, HoldsError, bootstrap::SAME_SERVER, era::name_of, packed};
use crate::domain::account::Micros;

/// Keys in one page of a scan.
const SCAN_PAGE: usize = 500;

/// Looks at accounts and, at the same instant, at how far the partition is: nothing of them can be in a later entry.
const LOOK: &str = r"
local epoch, n, clock = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'n', 'clock'))
if not epoch then return { '0', '0', '0' } end
if not clock then
  local t = redis.call('TIME')
  clock = string.format('%.0f', t[1] * 1000000 + t[2])
end
local found = { epoch, n, clock }
for i = 2, #KEYS do
  local state, era = unpack(redis.call('HMGET', KEYS[i], 's', 'e'))
  found[#found + 1] = state and state:sub(1, tonumber(ARGV[1])) or ''
  found[#found + 1] = era or ''
end
return found";

/// Drops accounts that are still as they were seen, once the ledger is known to have the entry they were seen at, and those of an
/// older era. Whoever read the ledger before it was that far must read it again.
const DROP: &str = r"
local epoch, open, replid, ledger_n = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'open', 'replid', 'ledger_n'))
if epoch ~= ARGV[1] or open ~= '1' or replid ~= ARGV[2] or tonumber(ledger_n) < tonumber(ARGV[4]) then return 0 end
local dropped = 0
for i = 3, #KEYS do
  local state, era = unpack(redis.call('HMGET', KEYS[i], 's', 'e'))
  local account, head = ARGV[2 * i - 1], ARGV[2 * i]
  if state and (era ~= ARGV[3] or state:sub(1, #head) == head) then
    redis.call('UNLINK', KEYS[i])
    redis.call('ZREM', KEYS[2], account)
    dropped = dropped + 1
  end
end
-- Last: Redis refuses this as a first write when its memory is full, and then nothing could ever be dropped.
if dropped > 0 then redis.call('HSET', KEYS[1], 'evict_n', ledger_n) end
return dropped";

/// Accounts that nobody uses, as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// The era in which they were seen.
    pub epoch: u64,
    /// The partition's last entry then: all of theirs is at or before it.
    pub n: u64,
    /// Their ids, and the beginning of their states: another one after the next event.
    pub accounts: Vec<(String, Vec<u8>)>,
}

impl Holds {
    /// One page of the accounts of a partition, in no order, some perhaps twice; with where the next page begins, 0 after the last.
    async fn scan(&self, partition: u32, from: u64) -> Result<(u64, Vec<String>), HoldsError> {
        let prefix = self.partition(partition).keys.account("");
        let mut cmd = redis::cmd("SCAN");
        cmd.arg(from)
            .arg("MATCH")
            .arg(format!("{prefix}*"))
            .arg("COUNT")
            .arg(SCAN_PAGE)
            .arg("TYPE")
            .arg("hash");
        let (next, page): (u64, Vec<String>) = self.aside(partition, &cmd).await?;
        let ids = page
            .iter()
            .filter_map(|key| key.strip_prefix(&prefix))
            .map(str::to_owned);
        Ok((next, ids.collect()))
    }

    /// The accounts of a partition, by id.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn accounts(&self, partition: u32) -> Result<Vec<String>, HoldsError> {
        let (mut from, mut accounts) = (0, Vec::new());
        loop {
            let (next, page) = self.scan(partition, from).await?;
            accounts.extend(page);
            if next == 0 {
                accounts.sort_unstable();
                accounts.dedup();
                return Ok(accounts);
            }
            from = next;
        }
    }

    /// Those of a page of accounts on which nothing was written for `idle_after`, and those of an older era; frozen ones are kept. With
    /// where the next page begins, 0 after the last. Changes nothing.
    ///
    /// # Errors
    /// Redis did not answer, or what it has cannot be read.
    pub async fn idle(
        &self,
        partition: u32,
        from: u64,
        idle_after: Micros,
    ) -> Result<(u64, Idle), HoldsError> {
        let (next, page) = self.scan(partition, from).await?;
        if page.is_empty() {
            return Ok((next, Idle::default()));
        }
        let keys = &self.partition(partition).keys;
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(LOOK).arg(page.len() + 1).arg(keys.meta());
        for account in &page {
            cmd.arg(keys.account(account));
        }
        cmd.arg(packed::HEAD_BYTES);
        let found: Vec<Vec<u8>> = self.aside(partition, &cmd).await?;
        let number = |at: usize| {
            let text = found
                .get(at)
                .and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.and_then(|text| text.parse::<u64>().ok())
                .ok_or_else(|| HoldsError::Bug("the look at idle accounts has no position".into()))
        };
        let (epoch, n) = (number(0)?, number(1)?);
        let now = i64::try_from(number(2)?).unwrap_or(i64::MAX);
        let era = name_of(epoch);
        let mut accounts = Vec::new();
        for (account, seen) in page.into_iter().zip(found[3..].chunks_exact(2)) {
            if seen[0].is_empty() {
                continue;
            }
            let head = packed::head(&seen[0])
                .map_err(|error| HoldsError::Bug(format!("account {account}: {error}")))?;
            let idle = !head.frozen && head.clock <= now - idle_after;
            if idle || seen[1] != era.as_bytes() {
                accounts.push((account, seen[0].clone()));
            }
        }
        Ok((next, Idle { epoch, n, accounts }))
    }

    /// Drops accounts that are still as they were seen, if the ledger is known to have all that was there then; says how many.
    ///
    /// # Errors
    /// Redis did not answer.
    pub async fn drop_idle(&self, partition: u32, idle: &Idle) -> Result<u64, HoldsError> {
        let keys = &self.partition(partition).keys;
        let mut cmd = redis::cmd("EVAL");
        cmd.arg(format!("{SAME_SERVER}{DROP}"))
            .arg(idle.accounts.len() + 2)
            .arg(keys.meta())
            .arg(keys.due());
        for (account, _) in &idle.accounts {
            cmd.arg(keys.account(account));
        }
        cmd.arg(idle.epoch)
            .arg(self.era(partition).replication_id)
            .arg(name_of(idle.epoch))
            .arg(idle.n);
        for (account, head) in &idle.accounts {
            cmd.arg(account).arg(head);
        }
        self.aside(partition, &cmd).await
    }
}
