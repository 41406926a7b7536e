//! Cuts the power at every call that a piece of work makes of the disk.

use std::path::Path;

use crate::disk::SimDisk;

/// Runs `work` once undisturbed, to learn how many calls it makes, and then once for each of them with the power cut there; behind each run
/// the power comes back, and `check` sees what is left beside what the work answered (what it has acknowledged, say). `check` says what is
/// wrong; what it said and the call is returned, the first of all, or nothing.
///
/// The work must make the same calls each time, and must take an error of the disk as its end.
pub fn every_cut<T>(
    seed: u64,
    dir: &Path,
    mut work: impl FnMut(&SimDisk) -> T,
    mut check: impl FnMut(&SimDisk, T) -> Result<(), String>,
) -> Result<u64, String> {
    let disk = SimDisk::new(seed, dir);
    let answer = work(&disk);
    let calls = disk.calls();
    disk.power_off();
    check(&disk, answer).map_err(|wrong| format!("seed {seed}, cut at the end: {wrong}"))?;
    for cut in 0..calls {
        // Another choice of what is lost at each.
        let disk = SimDisk::new(seed ^ cut.wrapping_mul(0x9e37_79b9_7f4a_7c15), dir);
        disk.cut_at(cut);
        let answer = work(&disk);
        let operation = disk.operations().pop();
        disk.power_off();
        check(&disk, answer).map_err(|wrong| {
            format!("seed {seed}, cut at call {cut} of {calls} ({operation:?}): {wrong}")
        })?;
    }
    Ok(calls)
}
