//! The words that a catalog chooses from, each with its one spelling.

use serde::Serialize;

pub use crate::domain::plan::{AfterTrial, CreditsOnUpgrade, GrantOn};

/// A closed list of words.
pub trait Word: Copy + 'static {
    /// All of them, the default first where there is one.
    const ALL: &'static [Self];
    /// As a catalog spells it.
    fn word(self) -> &'static str;
}

/// An enumeration, and the word of each value.
macro_rules! words {
    ($($(#[$about:meta])* $of:ident { $($(#[$doc:meta])* $value:ident = $word:literal),* $(,)? })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
            pub enum $of {
                $($(#[$doc])* #[serde(rename = $word)] $value),*
            }

            impl Word for $of {
                const ALL: &'static [Self] = &[$(Self::$value),*];
                fn word(self) -> &'static str {
                    match self {
                        $(Self::$value => $word),*
                    }
                }
            }
        )*
    };
}

words! {
    /// How what lies between two steps is brought to one of them.
    Rounding {
        /// To the next step.
        Up = "up",
        /// To the last step.
        Down = "down",
        /// To the nearest step, the middle up.
        HalfUp = "half_up",
        /// To the nearest step, the middle to the even one.
        HalfEven = "half_even",
    }
    /// What is brought to whole increments.
    Counted {
        /// Each item of a usage by itself.
        PerItem = "per_item",
        /// The sum of the items that have the same price.
        Aggregated = "aggregated",
    }
    /// How tiers are applied.
    TierMode {
        /// Each unit at the price of the tier that it falls into.
        Graduated = "graduated",
        /// All units at the price of the tier that the quantity reaches.
        Volume = "volume",
    }
    /// When the value of an attribute is known.
    Known {
        /// When the job is reserved.
        Before = "before",
        /// Perhaps only when it is done: a quote without it is a range.
        After = "after",
    }
    /// A plan's limit that a meter's items are compared with.
    LimitedBy {
        /// The quantity is the job's duration in seconds.
        Duration = "duration",
        /// The attribute `resolution` is the job's resolution.
        Resolution = "resolution",
    }
    /// Who pays first.
    Mode {
        /// Credits are bought, then used.
        Prepaid = "prepaid",
        /// Beyond its credits an account uses a credit limit, for an invoice.
        Arrears = "arrears",
    }
    /// How a pack's own discount and the plan's come together.
    Stacking {
        /// One after the other.
        Multiply = "multiply",
        /// Their sum.
        Add = "add",
        /// The larger.
        Best = "best",
    }
    /// What a commit above its hold may do.
    Overage {
        /// Take free credits, then make debt, then be absorbed.
        Allow = "allow",
        /// Nothing: it is refused.
        Reject = "reject",
    }
}

impl Word for GrantOn {
    const ALL: &'static [Self] = &[Self::Renewal, Self::Payment];
    fn word(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Payment => "payment",
        }
    }
}

impl Word for CreditsOnUpgrade {
    const ALL: &'static [Self] = &[
        Self::ProratedDifference,
        Self::Difference,
        Self::Full,
        Self::None,
    ];
    fn word(self) -> &'static str {
        match self {
            Self::ProratedDifference => "prorated_difference",
            Self::Difference => "difference",
            Self::Full => "full",
            Self::None => "none",
        }
    }
}

impl Word for AfterTrial {
    const ALL: &'static [Self] = &[Self::Convert, Self::End];
    fn word(self) -> &'static str {
        match self {
            Self::Convert => "convert",
            Self::End => "end",
        }
    }
}
