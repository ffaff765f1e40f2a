//! How far the clock moves between rounds: nothing to months, often to the very instant at which something becomes due
//! or a window ends, or a microsecond beside it.

use super::lane::{ACCOUNTS, Lane};
use super::{DAY, HOUR, SECOND};

/// Edges further away are not aimed at.
const FAR: i64 = 3 * DAY;

impl Lane {
    /// How far to move the clock next. When it aims, the lane's next call is about what it aimed at.
    pub fn next_advance(&mut self) -> i64 {
        let now = self.model.now();
        match self.dice.below(100) {
            0..60 => self.aim(now).unwrap_or(SECOND),
            60..88 => {
                let small = [
                    0,
                    1,
                    1000,
                    300_000,
                    SECOND,
                    10 * SECOND,
                    60 * SECOND,
                    600 * SECOND,
                ];
                self.dice.pick(&small)
            }
            88..96 => self.dice.pick(&[HOUR, HOUR, 2 * HOUR, 6 * HOUR]),
            96..99 => self.dice.pick(&[DAY, DAY + 1, 2 * DAY]),
            _ => self.dice.pick(&[7 * DAY, 31 * DAY, 92 * DAY]),
        }
    }

    fn aim(&mut self, now: i64) -> Option<i64> {
        let (settings, chosen) = (self.settings, self.dice.below(ACCOUNTS as u64) as usize);
        let subject = self.subjects.get(chosen)?.account_id.clone();
        let account = self.model.look(&subject)?;
        let mut edges: Vec<(i64, Option<String>)> = Vec::new();
        for hold in &account.holds {
            edges.extend(hold.expires_at.map(|at| (at, Some(hold.id.clone()))));
            for window in [settings.late_window, settings.repeat_window] {
                edges.extend(hold.ended_at.map(|at| (at + window, Some(hold.id.clone()))));
            }
        }
        for grant in &account.grants {
            edges.extend(
                [Some(grant.starts_at), grant.expires_at]
                    .into_iter()
                    .flatten()
                    .map(|at| (at, None)),
            );
        }
        edges.retain(|edge| edge.0 > now && edge.0 < now + FAR);
        edges.sort();
        if self.dice.chance(75) {
            edges.truncate(6); // the far ones skip the near ones
        }
        if edges.is_empty() {
            return None;
        }
        let (at, hold_id) = self.dice.pick(&edges);
        self.focus = Some((subject, hold_id));
        Some(at - now + self.dice.pick(&[0, 0, 0, -1, 1]))
    }
}
