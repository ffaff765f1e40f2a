//! INVALID: every violated field, as far as a status can carry them.

use tonic::Status;
use tonic_types::FieldViolation;

use super::Refusal;
use crate::proto::ErrorReason;

/// A status goes in headers, of which common clients take 8 KiB, and there a violation stands in the message, and in base64
/// with the details and with the message once more.
const LISTED_MAX: usize = 1_800;
/// The most of one field or description.
const SAID_MAX: usize = 600;

/// INVALID with every violated field, or as many as a status can carry and how many there are.
#[must_use]
pub fn invalid(mut violations: Vec<FieldViolation>) -> Status {
    let all = violations.len();
    let mut room = LISTED_MAX;
    let mut fits = |violation: &FieldViolation| {
        let used = carried(&violation.field) + carried(&violation.description);
        room = room.saturating_sub(used);
        room > 0
    };
    for violation in &mut violations {
        shorten(&mut violation.field);
        shorten(&mut violation.description);
    }
    let listed = violations.iter().take_while(|it| fits(it)).count();
    violations.truncate(listed);
    let list: Vec<_> = violations
        .iter()
        .map(|v| format!("{}: {}", v.field, v.description))
        .collect();
    let mut refusal = Refusal::new(ErrorReason::Invalid, list.join("; "));
    if listed < all {
        refusal.message += &format!("; and {} more", all - listed);
        refusal = refusal.with("violations", all);
    }
    refusal.details.set_bad_request(violations);
    refusal.status()
}

/// What a text takes in a status: headers carry other than ASCII as three signs a byte.
fn carried(text: &str) -> usize {
    text.bytes()
        .map(|byte| if byte.is_ascii() { 1 } else { 3 })
        .sum()
}

/// Cuts what one violation says, so that the first always fits.
fn shorten(text: &mut String) {
    if carried(text) > SAID_MAX {
        let mut room = SAID_MAX;
        let kept = text.chars().take_while(|sign| {
            room = room.saturating_sub(if sign.is_ascii() {
                1
            } else {
                3 * sign.len_utf8()
            });
            room > 0
        });
        *text = kept.chain("...".chars()).collect();
    }
}
