//! What a refused call said, decoded from its status and made readable.
//!
//! It does not judge: whether a refusal was expected is its caller's business.

use std::{collections::BTreeMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::show::{Record, Value};

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
    /// Whether nothing was decided, so that the same call can be sent again.
    pub fn is_unavailable(&self) -> bool {
        self.code == code_name(Code::Unavailable)
    }

    /// For a program.
    pub fn record(&self) -> Record {
        let violation = |(field, bound): &(String, String)| {
            Record::of([
                ("field", Value::text(field)),
                ("description", Value::text(bound)),
            ])
        };
        let violations = self.violations.iter().map(violation).collect();
        let retry_after = self.retry_after.map(|delay| format!("{delay:?}"));
        Record::of([
            ("code", Value::text(self.code)),
            (
                "reason",
                Value::text(self.reason.as_deref().unwrap_or_default()),
            ),
            ("message", Value::text(&self.message)),
            (
                "metadata",
                Value::Pairs(self.metadata.clone().into_iter().collect()),
            ),
            (
                "violations",
                Value::Rows(violations, &["field", "description"]),
            ),
            (
                "retry_after",
                Value::text(retry_after.as_deref().unwrap_or_default()),
            ),
        ])
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

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    fn refusal(code: Code, message: &str, details: ErrorDetails) -> Refusal {
        Status::with_error_details(code, message, details).into()
    }

    #[test]
    fn a_refusal_shows_code_reason_message_and_every_number() {
        let mut details = ErrorDetails::new();
        let metadata =
            [("short_by", "430"), ("available", "70")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        details.set_error_info("INSUFFICIENT_CREDITS", "holdbook", metadata);
        let refusal = refusal(
            Code::ResourceExhausted,
            "70 are available, 500 were asked for",
            details,
        );
        assert_eq!(
            refusal.to_string(),
            "refused: INSUFFICIENT_CREDITS (RESOURCE_EXHAUSTED)\n  70 are available, 500 were asked for\n  \
             available  70\n  short_by   430"
        );
        assert_eq!(
            (refusal.number("short_by"), refusal.number("debt")),
            ("430", "?")
        );
    }

    #[test]
    fn violated_fields_come_with_their_bounds() {
        let mut details =
            ErrorDetails::with_bad_request_violation("amount", "at most six decimals");
        details.add_bad_request_violation("ttl", "at most 24h");
        let refusal = refusal(Code::InvalidArgument, "2 fields are invalid", details);
        assert_eq!(
            refusal.to_string(),
            "refused: INVALID_ARGUMENT\n  2 fields are invalid\n  amount  at most six decimals\n  ttl     at most 24h"
        );
        let json: serde_json::Value =
            serde_json::from_str(&super::super::show::json(&refusal.record()))
                .expect("a record is JSON");
        assert_eq!(json["violations"][1]["field"], "ttl");
        assert_eq!(json["reason"], serde_json::Value::Null);
    }

    #[test]
    fn an_unavailable_store_says_when_to_ask_again() {
        let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(250)));
        let refusal = refusal(Code::Unavailable, "the ledger is behind", details);
        assert!(refusal.is_unavailable());
        assert!(refusal.to_string().ends_with("retry_after  250ms"));
    }
}
