//! Section `memory`: what the process and its allocator hold, and what for.

use super::{Field, Value, count, field, none, text};
use crate::commands::info::Facts;

pub(super) const FIELDS: &[Field] = &[
    // What maxmemory bounds. The buffers of clients come on top: allocator_allocated has all.
    field("used_memory", |f| bytes(f.used())),
    field("used_memory_human", |f| human(f.used())),
    field("used_memory_rss", |f| {
        f.resident().map_or(Value::Unknown, Value::Number)
    }),
    field("used_memory_rss_human", |f| {
        f.resident().map_or(Value::Unknown, Value::Human)
    }),
    field("used_memory_peak", |f| bytes(f.peak())),
    field("used_memory_peak_human", |f| human(f.peak())),
    field("used_memory_peak_perc", |f| {
        percent(f.memory().allocated, f.peak())
    }),
    field("used_memory_overhead", |f| count(f.overhead().total())),
    field("used_memory_startup", |f| {
        bytes(f.overhead().startup as u64)
    }),
    field("used_memory_dataset", |f| Value::Number(f.dataset())),
    field("used_memory_dataset_perc", |f| {
        percent(f.dataset(), f.net_usage())
    }),
    field("allocator_allocated", |f| bytes(f.memory().allocated)),
    field("allocator_active", |f| bytes(f.memory().active)),
    field("allocator_resident", |f| bytes(f.memory().resident)),
    field("total_system_memory", |_| Value::Number(system_memory())),
    field("total_system_memory_human", |_| {
        Value::Human(system_memory())
    }),
    // Scripts and functions share their interpreters, which count as those of EVAL.
    field("used_memory_lua", |f| Value::Number(vm_bytes(f))),
    field("used_memory_vm_eval", |f| Value::Number(vm_bytes(f))),
    field("used_memory_lua_human", |f| Value::Human(vm_bytes(f))),
    field("used_memory_scripts_eval", |f| {
        count(f.shared.engine.scripts.overhead_bytes())
    }),
    field("number_of_cached_scripts", |f| {
        count(f.shared.engine.scripts.count())
    }),
    field("number_of_functions", |f| {
        count(f.shared.engine.scripts.libraries().functions())
    }),
    field("number_of_libraries", |f| {
        count(f.shared.engine.scripts.libraries().iter().len())
    }),
    none("used_memory_vm_functions"),
    field("used_memory_vm_total", |f| Value::Number(vm_bytes(f))),
    field("used_memory_vm_total_human", |f| Value::Human(vm_bytes(f))),
    field("used_memory_functions", |f| {
        count(f.shared.engine.scripts.library_bytes())
    }),
    field("used_memory_scripts", |f| Value::Number(script_bytes(f))),
    field("used_memory_scripts_human", |f| {
        Value::Human(script_bytes(f))
    }),
    field("maxmemory", |f| {
        Value::Number(f.shared.config().bytes("maxmemory"))
    }),
    field("maxmemory_human", |f| {
        Value::Human(f.shared.config().bytes("maxmemory"))
    }),
    field("maxmemory_policy", |f| {
        text(f.shared.config().choice("maxmemory-policy"))
    }),
    field("allocator_frag_ratio", |f| {
        ratio(f.memory().active, f.memory().allocated)
    }),
    field("allocator_frag_bytes", |f| {
        difference(f.memory().active, f.memory().allocated)
    }),
    field("allocator_rss_ratio", |f| {
        ratio(f.memory().resident, f.memory().active)
    }),
    field("allocator_rss_bytes", |f| {
        difference(f.memory().resident, f.memory().active)
    }),
    field("rss_overhead_ratio", |f| {
        ratio(f.resident().unwrap_or(0), f.memory().resident)
    }),
    field("rss_overhead_bytes", |f| {
        difference(f.resident().unwrap_or(0), f.memory().resident)
    }),
    field("mem_fragmentation_ratio", |f| {
        ratio(f.resident().unwrap_or(0), f.memory().allocated)
    }),
    field("mem_fragmentation_bytes", |f| {
        difference(f.resident().unwrap_or(0), f.memory().allocated)
    }),
    // `used_memory` does not count the buffers of clients in the first place.
    none("mem_not_counted_for_evict"),
    none("mem_replication_backlog"),
    none("mem_total_replication_buffers"),
    none("mem_clients_slaves"),
    field("mem_clients_normal", |f| count(f.overhead().clients)),
    none("mem_cluster_links"),
    none("mem_aof_buffer"),
    // The figures above are jemalloc's, so without them there is another allocator below.
    field("mem_allocator", |f| {
        if f.memory().allocated > 0 {
            text("jemalloc")
        } else {
            Value::Unknown
        }
    }),
    none("active_defrag_running"),
    field("lazyfree_pending_objects", |f| {
        Value::Number(f.shared.engine.store.freeing().0)
    }),
    field("lazyfreed_objects", |f| Value::Number(f.totals().freed)),
];

fn vm_bytes(facts: &Facts) -> u64 {
    facts.shared.engine.scripts.interpreter_bytes() as u64
}

fn script_bytes(facts: &Facts) -> u64 {
    let scripts = &facts.shared.engine.scripts;
    (scripts.overhead_bytes() + scripts.library_bytes()) as u64
}

/// Zero is what an allocator says that keeps no figures.
fn bytes(n: u64) -> Value {
    if n == 0 {
        Value::Unknown
    } else {
        Value::Number(n)
    }
}

fn human(n: u64) -> Value {
    if n == 0 {
        Value::Unknown
    } else {
        Value::Human(n)
    }
}

fn ratio(a: u64, b: u64) -> Value {
    if a == 0 || b == 0 {
        Value::Unknown
    } else {
        Value::Ratio(a as f64 / b as f64)
    }
}

fn percent(a: u64, b: u64) -> Value {
    if b == 0 {
        Value::Unknown
    } else {
        Value::Percent(a as f64 * 100.0 / b as f64)
    }
}

fn difference(a: u64, b: u64) -> Value {
    if a == 0 || b == 0 {
        Value::Unknown
    } else {
        Value::Signed(a as i64 - b as i64)
    }
}

fn system_memory() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}
