//! Seeded chance: the same seed and lane give the same throws.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

pub struct Dice(TestRng);

impl Dice {
    pub fn new(seed: u64, lane: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&lane.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// 0 to n - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len() as u64) as usize;
        from[index].clone()
    }

    /// One of the named, as often as its weight says.
    pub fn weighted<T: Clone>(&mut self, from: &[(u64, T)]) -> T {
        let mut throw = self.below(from.iter().map(|f| f.0).sum());
        for (weight, item) in from {
            if throw < *weight {
                return item.clone();
            }
            throw -= weight;
        }
        from[0].1.clone()
    }
}
