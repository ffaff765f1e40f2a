//! What an operation answered: done or refused, or a question that must be settled first.

use super::{
    HoldsError, Malformed, Reader,
    packed::{self, Answer},
    step::{self, Limits},
};

/// The answer of one operation.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The epoch that it was answered in.
    pub epoch: u64,
    /// The last entry of the partition when it was answered: all that it tells of is at or before it.
    pub n: u64,
    /// How far the ledger was.
    pub ledger_n: u64,
    /// What it says.
    pub body: Body,
}

/// What an answer says.
#[derive(Clone, Debug)]
pub enum Body {
    /// Done, or refused with reasons.
    Answer(Box<Answer>),
    /// There is no such account.
    NoAccount,
    /// Redis does not know the id; the ledger may.
    AskLedger,
    /// The ledger is too far behind.
    Backpressure,
    /// The account is not here, or of an older era: it must be loaded from the ledger.
    Load,
    /// The subscription's next step must be worked out from its record first. Of the account only what is before that step is true.
    Renew {
        /// The record; empty if there never was a subscription.
        record: Vec<u8>,
        /// The account as it is.
        answer: Box<Answer>,
    },
}

impl Reply {
    /// Reads a packed answer.
    pub fn read(bytes: &[u8], (epoch, n): (u64, u64), ledger_n: u64) -> Result<Self, HoldsError> {
        let malformed = |error| HoldsError::Bug(format!("an answer cannot be read: {error}"));
        let body = match bytes.split_first() {
            Some((0 | 1, rest)) => Body::Answer(Box::new(packed::answer(rest).map_err(malformed)?)),
            Some((2, _)) => Body::NoAccount,
            Some((3, _)) => Body::AskLedger,
            Some((4, _)) => Body::Backpressure,
            Some((5, _)) => Body::Load,
            Some((more @ 6..=8, rest)) => with_more(*more, rest).map_err(malformed)?,
            _ => return Err(HoldsError::Bug("an empty or unknown answer".into())),
        };
        Ok(Self {
            epoch,
            n,
            ledger_n,
            body,
        })
    }
}

/// An answer with something before it.
fn with_more(status: u8, bytes: &[u8]) -> Result<Body, Malformed> {
    let mut r = Reader(bytes);
    let before = r.blob()?;
    let passed = match status {
        7 => step::passed(r.blob()?)?,
        _ => None,
    };
    let _status = r.byte()?;
    let mut answer = Box::new(packed::answer(r.0)?);
    match status {
        6 => {
            let record = before.to_vec();
            return Ok(Body::Renew { record, answer });
        }
        7 => (answer.plan, answer.passed) = (plan(before)?, passed),
        _ => {
            let mut r = Reader(before);
            answer.kinds = packed::kinds(r.blob()?)?;
            answer.plan = plan(r.blob()?)?;
        }
    }
    Ok(Body::Answer(answer))
}

/// What is kept of a plan, if anything is.
fn plan(bytes: &[u8]) -> Result<Option<Limits>, Malformed> {
    (!bytes.is_empty()).then(|| step::limits(bytes)).transpose()
}
