//! A line of a table, cut into words.

use crate::model::{DAY, HOUR, SECOND};

/// `key=value` words of a call, and words without a value.
pub struct Line<'a>(pub Vec<&'a str>);

impl<'a> Line<'a> {
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let mut pairs = self.0.iter().filter_map(|word| word.split_once('='));
        pairs.find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(String::from)
    }

    pub fn number<N: std::str::FromStr>(&self, key: &str) -> Option<N> {
        let number = |text: &str| text.parse().ok();
        self.get(key)
            .map(|text| number(text).unwrap_or_else(|| panic!("{key}={text} is no number")))
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    pub fn span(&self, key: &str) -> Option<i64> {
        self.get(key).map(span)
    }

    /// `key:value,key:value`
    pub fn map(&self, key: &str) -> std::collections::HashMap<String, String> {
        let pairs = self.get(key).into_iter().flat_map(|text| text.split(','));
        pairs
            .map(|pair| pair.split_once(':').expect("key:value"))
            .map(|(k, v)| (k.into(), v.into()))
            .collect()
    }
}

/// A span in microseconds, from `90s`, `-1us` and the like.
pub fn span(text: &str) -> i64 {
    let unit_at = text
        .find(|c: char| c != '-' && !c.is_ascii_digit())
        .expect("a unit");
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit {
        "us" => 1,
        "ms" => 1000,
        "s" => SECOND,
        "h" => HOUR,
        "d" => DAY,
        _ => panic!("unit {unit}"),
    };
    number.parse::<i64>().expect("a number") * unit
}
