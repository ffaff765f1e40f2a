//! Names of the keys in Redis, and which partition an account lives in. They stand here and, below a partition's tag, in
//! `lua/batch.lua`; nowhere else.

/// Redis Cluster's hash slots.
const SLOTS: u32 = 16_384;

/// The keys of one partition, all under its hash tag.
#[derive(Clone, Debug)]
pub struct Keys {
    base: String,
}

impl Keys {
    /// Keys of partition `partition` of `partitions`: its tag hashes into its own even share of the slots.
    #[must_use]
    pub fn new(partition: u32, partitions: u32) -> Self {
        let share = SLOTS / partitions;
        let tag = (0_u32..)
            .map(|k| format!("{partition}.{k}"))
            .find(|tag| u32::from(crc16(tag.as_bytes())) % SLOTS / share == partition);
        // A tag is found within a few times `partitions` tries: the checksum is even.
        Self {
            base: format!("hb:{{{}}}:", tag.unwrap_or_default()),
        }
    }

    /// The partition's state.
    #[must_use]
    pub fn meta(&self) -> String {
        format!("{}meta", self.base)
    }

    /// The stream of entries.
    #[must_use]
    pub fn log(&self) -> String {
        format!("{}log", self.base)
    }

    /// Accounts by when something is due on them.
    #[must_use]
    pub fn due(&self) -> String {
        format!("{}due", self.base)
    }

    /// An account: state, open holds.
    #[must_use]
    pub fn account(&self, account: &str) -> String {
        format!("{}a:{account}", self.base)
    }

    /// A grant's remembered outcomes. Of another era's nothing is remembered: the ledger is.
    #[must_use]
    pub fn grant(&self, era: &str, account: &str, grant: &str) -> String {
        format!("{}g:{era}:{account}:{grant}", self.base)
    }

    /// An ended hold.
    #[must_use]
    pub fn ended_hold(&self, era: &str, account: &str, hold: &str) -> String {
        format!("{}d:{era}:{account}:{hold}", self.base)
    }

    /// The remembered outcomes of a hold's partial commits, extensions and refunds.
    #[must_use]
    pub fn hold_operations(&self, era: &str, account: &str, hold: &str) -> String {
        format!("{}p:{era}:{account}:{hold}", self.base)
    }
}

/// The partition of an account: FNV-1a over its id, mixed. It never changes: stored data depends on it.
#[must_use]
pub fn partition_of(account: &str, partitions: u32) -> u32 {
    let hash = account.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    // A power of two, at most 1024: the mask loses nothing.
    u32::try_from(mixed & u64::from(partitions - 1)).unwrap_or(0)
}

/// CRC-16/XMODEM, Redis Cluster's checksum of a hash tag.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_spread_evenly_over_the_slots() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for partitions in [1, 4, 64, 1024] {
            for partition in 0..partitions {
                let keys = Keys::new(partition, partitions);
                let tag = keys
                    .base
                    .trim_start_matches("hb:{")
                    .trim_end_matches("}:")
                    .to_owned();
                assert_eq!(
                    u32::from(crc16(tag.as_bytes())) % SLOTS * partitions / SLOTS,
                    partition
                );
            }
        }
    }

    #[test]
    fn accounts_spread_over_the_partitions_and_stay() {
        let mut counts = [0_u32; 4];
        for i in 0..10_000 {
            counts[partition_of(&format!("acct-{i}"), 4) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (2_300..2_700).contains(count)),
            "{counts:?}"
        );
        assert_eq!(
            [partition_of("a", 1024), partition_of("studio-7", 1024)],
            [partition_of("a", 1024), partition_of("studio-7", 1024)]
        );
    }
}
