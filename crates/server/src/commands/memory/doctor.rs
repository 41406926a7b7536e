//! MEMORY DOCTOR: what is unusual about the use of memory, and what may be done about it.

use std::fmt::Write;

use dunlin_engine::{Ctx, Flow, Outcome};

use crate::commands::info::facts::Facts;
use crate::host::host;

/// Below so many bytes nothing can be said.
const EMPTY_BYTES: u64 = 5 << 20;
/// Smaller differences are left alone, whatever their share.
const NOTEWORTHY_BYTES: u64 = 10 << 20;
/// Client buffers above so many bytes each, on average, are unusual.
const CLIENT_BYTES: u64 = 200 << 10;

/// What the report is made of, bytes.
#[derive(Copy, Clone, Default)]
struct Figures {
    allocated: u64,
    peak: u64,
    active: u64,
    resident: u64,
    process: u64,
    client_buffers: u64,
    clients: u64,
}

pub(super) fn doctor(cx: &mut Ctx<'_>) -> Outcome {
    let now_ms = cx.keys.now_ms();
    let facts = Facts::new(host(cx), now_ms);
    let memory = facts.memory();
    let text = report(&Figures {
        allocated: memory.allocated,
        peak: facts.peak(),
        active: memory.active,
        resident: memory.resident,
        process: facts.resident().unwrap_or(0),
        client_buffers: facts.overhead().clients as u64,
        clients: facts.shared.open_clients() as u64,
    });
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

fn report(figures: &Figures) -> String {
    if figures.allocated < EMPTY_BYTES {
        return "There is too little data for anything to be said about it.\n".to_owned();
    }
    let mut text = String::new();
    let mut find = |found: bool, advice: &str| {
        if found {
            let _ = writeln!(text, "- {advice}");
        }
    };
    // `part` of the larger figure is over the smaller one.
    let exceeds = |larger: u64, smaller: u64, part: f64| {
        larger as f64 > smaller as f64 * part && larger > smaller + NOTEWORTHY_BYTES
    };
    find(
        figures.peak as f64 > figures.allocated as f64 * 1.5,
        "Once more than half as much again was in use (used_memory_peak). What the process still holds of it is reused as \
         data comes; MEMORY PURGE gives it back.",
    );
    find(
        exceeds(figures.active, figures.allocated, 1.1),
        "The allocator's pages are partly empty (allocator_frag_ratio above 1.1), as after many deletions of small values.",
    );
    find(
        exceeds(figures.resident, figures.active, 1.1),
        "The allocator keeps pages that it does not use (allocator_rss_ratio above 1.1): MEMORY PURGE gives them back.",
    );
    find(
        exceeds(figures.process, figures.resident, 1.1),
        "The process takes more than its allocator knows of (rss_overhead_ratio above 1.1): transparent huge pages can do that.",
    );
    find(
        figures.client_buffers > CLIENT_BYTES * figures.clients.max(1),
        "Clients' buffers take more than 200 KB each on average (mem_clients_normal): CLIENT LIST shows whose.",
    );
    if text.is_empty() {
        return "Nothing unusual is to be seen.\n".to_owned();
    }
    format!("This is unusual about the use of memory:\n\n{text}")
}

#[cfg(test)]
mod tests {
    use super::{Figures, report};
    use crate::commands::testing::check;

    #[test]
    fn finds_what_is_unusual() {
        check(
            "MEMORY DOCTOR",
            "There is too little data for anything to be said about it.\\n",
        );
        let healthy = Figures {
            allocated: 100 << 20,
            peak: 110 << 20,
            active: 105 << 20,
            resident: 106 << 20,
            process: 107 << 20,
            client_buffers: 100 << 10,
            clients: 1,
        };
        assert_eq!(report(&healthy), "Nothing unusual is to be seen.\n");
        for (figures, word) in [
            (
                Figures {
                    peak: 151 << 20,
                    ..healthy
                },
                "used_memory_peak",
            ),
            (
                Figures {
                    active: 111 << 20,
                    ..healthy
                },
                "allocator_frag_ratio",
            ),
            (
                Figures {
                    resident: 116 << 20,
                    ..healthy
                },
                "allocator_rss_ratio",
            ),
            (
                Figures {
                    process: 117 << 20,
                    ..healthy
                },
                "rss_overhead_ratio",
            ),
            (
                Figures {
                    client_buffers: 201 << 10,
                    ..healthy
                },
                "mem_clients_normal",
            ),
        ] {
            let text = report(&figures);
            assert!(
                text.contains(word) && text.matches("\n- ").count() == 1,
                "{word}: {text}"
            );
        }
    }
}
