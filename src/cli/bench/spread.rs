//! Which account a turn is of: seeded, so that the same seed makes the same load.

use super::args::Spread;

/// Chooses accounts by their numbers.
pub(super) struct Chooser {
    /// What all accounts up to each weigh, growing.
    weights: Vec<u64>,
}

/// The first of a Zipf distribution weighs so much.
const FIRST: u64 = 1 << 32;

impl Chooser {
    pub fn new(spread: Spread, accounts: u32) -> Self {
        let weight = |number: u64| match spread {
            Spread::Uniform => 1,
            Spread::Zipf => FIRST / (number + 1),
            Spread::Hot => u64::from(number == 0),
        };
        let mut sum = 0;
        let weights = (0..u64::from(accounts)).map(|number| {
            sum += weight(number);
            sum
        });
        Self {
            weights: weights.collect(),
        }
    }

    /// The account of a turn.
    pub fn account(&self, chance: u64) -> usize {
        let all = self.weights.last().copied().unwrap_or(1).max(1);
        let at = chance % all;
        self.weights.partition_point(|sum| *sum <= at)
    }
}

/// Chance that is the same for the same numbers: SplitMix64.
pub(super) const fn chance(seed: u64, turn: u64, of: u64) -> u64 {
    let mut x = seed
        .wrapping_add(turn.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add(of.wrapping_mul(0xd1b5_4a32_d192_ed03));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(spread: Spread) -> Vec<u32> {
        let chooser = Chooser::new(spread, 10);
        let mut counts = vec![0; 10];
        for turn in 0..100_000 {
            counts[chooser.account(chance(7, turn, 0))] += 1;
        }
        counts
    }

    #[test]
    fn uniform_is_even() {
        assert!(
            counts(Spread::Uniform)
                .iter()
                .all(|count| (9_500..10_500).contains(count))
        );
    }

    #[test]
    fn the_second_of_zipf_is_used_half_as_often() {
        let counts = counts(Spread::Zipf);
        // The sum of the first ten reciprocals is 2.929.
        for (at, count) in (1_u32..).zip(counts) {
            let expected = 100_000_000 / 2_929 / at;
            assert!(
                count.abs_diff(expected) < expected / 20,
                "{at}: {count}, not {expected}"
            );
        }
    }

    #[test]
    fn hot_is_one() {
        assert_eq!(counts(Spread::Hot)[0], 100_000);
    }
}
