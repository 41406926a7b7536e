//! Asking the processor for a cache line, without any effect but time.

#![allow(unsafe_code)]

/// Bytes of a cache line.
pub const LINE_BYTES: usize = 64;

/// How many entries to fetch ahead of the one in work: about what one core can have under way.
pub const AHEAD: usize = 12;

/// Fetches the line of `address` into the first-level cache. The address may be anything: a prefetch never faults.
#[inline(always)]
pub fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching is defined for every address and has no architectural effect; SSE is in the baseline.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// The same for a line that is about to be written: no other core has it afterwards.
#[inline(always)]
pub fn line_to_write(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above. 64-bit processors that lack the instruction ignore it; the intrinsic would become a fetch for reading.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
