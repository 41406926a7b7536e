//! A message that comes over and over is not written more than [`LINES_PER_SECOND`] times a second; the next line says how
//! many were left out.
//!
//! Invariant: what is kept is bounded by the number of places in the code that log.

use std::sync::{Mutex, PoisonError};

use tracing::callsite::Identifier;

/// Lines a second of one place in the code.
pub(super) const LINES_PER_SECOND: u32 = 100;
/// Letters of a message that stand for all that were left out.
const EXAMPLE_LETTERS: usize = 120;

struct Place {
    id: Identifier,
    second: u64,
    lines: u32,
    left_out: u64,
    example: String,
}

/// See the module's text.
pub(super) struct Repeats(Mutex<Vec<Place>>);

impl Repeats {
    pub(super) const fn new() -> Repeats {
        Repeats(Mutex::new(Vec::new()))
    }

    /// Whether a message of this place may be written in this second.
    pub(super) fn admits(&self, id: &Identifier, second: u64, message: &str) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = places.iter_mut().find(|place| place.id == *id) else {
            places.push(Place {
                id: id.clone(),
                second,
                lines: 1,
                left_out: 0,
                example: String::new(),
            });
            return true;
        };
        if place.second != second {
            (place.second, place.lines) = (second, 0);
        }
        place.lines = place.lines.saturating_add(1);
        if place.lines <= LINES_PER_SECOND {
            return true;
        }
        place.left_out += 1;
        if place.left_out == 1 {
            place.example = message.chars().take(EXAMPLE_LETTERS).collect();
        }
        false
    }

    /// What is to be said of messages that were left out before this second.
    pub(super) fn left_out(&self, second: u64) -> Option<String> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places
            .iter_mut()
            .find(|place| place.left_out > 0 && (place.second != second))?;
        let (count, example) = (
            std::mem::take(&mut place.left_out),
            std::mem::take(&mut place.example),
        );
        Some(format!(
            "{count} more messages like this one were left out: {example}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite as _;

    use super::{LINES_PER_SECOND, Repeats};

    #[test]
    fn the_rest_is_counted() {
        let callsite = tracing::callsite! {
            name: "here", kind: tracing::metadata::Kind::EVENT, fields: message
        };
        let id = callsite.metadata().callsite();
        let repeats = Repeats::new();
        let admitted = |second, times: u32| {
            (0..times)
                .filter(|turn| repeats.admits(&id, second, &format!("message {turn}")))
                .count() as u32
        };
        assert_eq!(admitted(1, 5), 5);
        assert_eq!(repeats.left_out(2), None);
        assert_eq!(admitted(2, LINES_PER_SECOND + 7), LINES_PER_SECOND);
        assert_eq!(repeats.left_out(2), None, "more may come");
        let told = repeats.left_out(3).expect("some were left out");
        assert_eq!(
            told,
            "7 more messages like this one were left out: message 100"
        );
        assert_eq!(repeats.left_out(3), None);
        assert_eq!(admitted(3, 1), 1);
    }
}
