//! What a refused call said, decoded from its status and made readable.
//!
//! It does not judge: whether a refusal was expected is its caller's business.

use std::{collections::BTreeMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The gRPC code, as the protocol spells it.
    pub code: &'static str,
    /// The reason from the closed list; none when no Holdbook answered.
    pub reason: Option<String>,
    /// The server's sentence.
    pub message: String,
    /// Every number that the message mentions.
    pub metadata: BTreeMap<String, String>,
    /// Violated fields, each with its bound.
    pub violations: Vec<(String, String)>,
    /// When to send the same call again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Whether it is this reason.
    pub fn is(&self, reason: &str) -> bool {
        self.reason.as_deref() == Some(reason)
    }

    /// Whether nothing was decided, so that the same call can be sent again.
    pub fn is_unavailable(&self) -> bool {
        self.code == code_name(Code::Unavailable)
    }

    /// A number of the metadata, `?` when it is not there.
    pub fn number(&self, key: &str) -> &str {
        self.metadata.get(key).map_or("?", String::as_str)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        Self {
            code: code_name(status.code()),
            reason: info.map(|info| info.reason.clone()),
            message: status.message().to_owned(),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            violations: details
                .bad_request()
                .map(|bad| {
                    let fields = bad.field_violations.iter();
                    fields
                        .map(|field| (field.field.clone(), field.description.clone()))
                        .collect()
                })
                .unwrap_or_default(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "refused: {reason} ({})", self.code)?,
            None => write!(f, "refused: {}", self.code)?,
        }
        write!(f, "\n  {}", self.message)?;
        let retry_after = self.retry_after.map(|delay| format!("{delay:?}"));
        let rows: Vec<(&str, &str)> = self
            .violations
            .iter()
            .map(|(field, bound)| (field.as_str(), bound.as_str()))
            .chain(
                self.metadata
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str())),
            )
            .chain(
                retry_after
                    .iter()
                    .map(|delay| ("retry_after", delay.as_str())),
            )
            .collect();
        let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, value) in rows {
            write!(f, "\n  {key:width$}  {value}")?;
        }
        Ok(())
    }
}

/// The protocol's spelling: `tonic::Code` has only sentences and Rust names.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
