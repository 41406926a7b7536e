//! PFSELFTEST: checks registers and estimates of HyperLogLogs on this machine.

use dunlin_structures::hyperloglog::{self, DENSE_BYTES, REGISTERS};

use super::{WRITE, sparse_bytes_max};
use crate::command::{Categories, Command, Flags, Scope};
use crate::{Ctx, Flow, Outcome, ReplyError};

/// Times that all registers are overwritten.
const ROUNDS: usize = 1000;
/// Elements that are added.
const ELEMENTS: u64 = 10_000_000;
/// So many standard errors are too many.
const ERRORS_MAX: f64 = 6.0;

/// PFSELFTEST.
pub(super) const PFSELFTEST: Command = Command {
    name: "pfselftest",
    full_name: "pfselftest",
    arity: 1,
    flags: Flags::ADMIN,
    categories: Categories::HYPERLOGLOG
        .and(Categories::ADMIN)
        .and(Categories::SLOW)
        .and(Categories::DANGEROUS),
    keys: &[],
    scope: Scope::Nothing,
    complexity: "a second or so",
    summary: "Checks that HyperLogLogs work.",
    arguments: &[],
    handler: pfselftest,
    ..WRITE
};

fn pfselftest(cx: &mut Ctx<'_>) -> Outcome {
    if cx.is_heavy(usize::MAX) {
        return Ok(Flow::Heavy);
    }
    let sparse_bytes_max = sparse_bytes_max(cx);
    let failure = registers(|| cx.keys.local().random());
    let seed = cx.keys.local().random();
    let failure = failure.or_else(|| estimates(seed, sparse_bytes_max, ELEMENTS));
    match failure {
        None => cx.reply.ok(),
        Some(text) => return Err(ReplyError::Text(format!("TESTFAILED {text}").into())),
    }
    Ok(Flow::Done)
}

/// Random values of all registers: each must be read as it was set.
fn registers(mut random: impl FnMut() -> u64) -> Option<String> {
    let mut values = [0; REGISTERS];
    for _ in 0..ROUNDS {
        let mut bytes = vec![0; DENSE_BYTES];
        for (index, value) in values.iter_mut().enumerate() {
            *value = (random() % 64) as u8;
            hyperloglog::raise_dense(&mut bytes, index, *value);
        }
        for (index, value) in values.iter().enumerate() {
            let found = hyperloglog::dense_register(&bytes, index);
            if found != *value {
                return Some(format!("Register {index} should be {value} but is {found}"));
            }
        }
    }
    None
}

/// Different elements in both forms: their estimates agree and are near.
fn estimates(seed: u64, sparse_bytes_max: usize, elements: u64) -> Option<String> {
    let mut grown = hyperloglog::empty();
    let Ok(mut dense) = hyperloglog::to_dense(&grown) else {
        return Some("An empty one is corrupted".to_owned());
    };
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    let mut checkpoint = 1;
    for n in 1..=elements {
        let (index, value) = hyperloglog::register_of(&(n ^ seed).to_le_bytes());
        hyperloglog::raise_dense(&mut dense, index, value);
        if hyperloglog::raise(&mut grown, index, value, sparse_bytes_max).is_err() {
            return Some("A sparse one is corrupted".to_owned());
        }
        if n != checkpoint {
            continue;
        }
        let estimate = hyperloglog::estimate(&dense);
        if estimate != hyperloglog::estimate(&grown) {
            return Some("dense/sparse disagree".to_owned());
        }
        let error = n.abs_diff(estimate.unwrap_or(0));
        let error_max = match n {
            // Two of ten in one register are no failure.
            10 => 1.0,
            _ => (standard_error * ERRORS_MAX * n as f64).ceil(),
        };
        if error as f64 > error_max {
            return Some(format!("Too big error. card:{n} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_and_would_notice() {
        let mut state = 7_u64;
        let random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state >> 33
        };
        assert_eq!(registers(random), None);
        assert_eq!(estimates(1, 3000, 100_000), None);
        // With no room at all the forms are the same, and still right.
        assert_eq!(estimates(2, 0, 1000), None);
    }
}
