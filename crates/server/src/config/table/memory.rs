//! Keys of memory: the limit, eviction, expiry, freeing, defragmentation.

use super::super::key::{INT_MAX, Key, choice, integer, memory, yes_no};

const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

pub(super) const KEYS: &[Key] = &[
    integer("active-defrag-cycle-max", "25", 1, 99).doc("Percent of a core that defragmentation may use at the upper threshold."),
    integer("active-defrag-cycle-min", "1", 1, 99).doc("Percent of a core that defragmentation uses at the lower threshold."),
    memory("active-defrag-ignore-bytes", "100mb", 1, i64::MAX as u64).doc("Bytes of fragmentation below which nothing is moved."),
    integer("active-defrag-max-scan-fields", "1000", 1, i64::MAX).doc("Collections with more elements are moved piece by piece."),
    integer("active-defrag-threshold-lower", "10", 0, 1000).doc("Percent of fragmentation at which defragmentation begins."),
    integer("active-defrag-threshold-upper", "100", 0, 1000).doc("Percent of fragmentation at which it works hardest."),
    integer("active-expire-effort", "1", 1, 10)
        .moot()
        .doc("How hard Redis looks for expired keys. Dunlin knows when each key expires, and does not look."),
    yes_no("activedefrag", "no")
        .refused("no", "Active defragmentation cannot be enabled: it is not built in this server")
        .doc("Move values together when memory is fragmented. CONFIG SET refuses `yes`; in a file it is accepted with a warning."),
    yes_no("activerehashing", "yes")
        .moot()
        .doc("Whether Redis grows its tables in idle moments. Dunlin's grow one segment at a time, always."),
    yes_no("disable-thp", "yes")
        .moot()
        .at_start()
        .doc("Redis turns transparent huge pages off for itself, since after a fork each write would copy one. Dunlin never forks, and runs faster on huge pages: it leaves them as the system has them."),
    yes_no("jemalloc-bg-thread", "yes")
        .doc("Whether the allocator returns memory from a thread of its own."),
    yes_no("lazyfree-lazy-eviction", "no")
        .moot()
        .doc("Free evicted values in the background. Dunlin frees every big value in slices, whichever command let go of it."),
    yes_no("lazyfree-lazy-expire", "no")
        .moot()
        .doc("The same for expired values."),
    yes_no("lazyfree-lazy-server-del", "no")
        .moot()
        .doc("The same for values that a command overwrites."),
    yes_no("lazyfree-lazy-user-del", "no")
        .moot()
        .doc("The same for DEL."),
    yes_no("lazyfree-lazy-user-flush", "no")
        .moot()
        .doc("The same for FLUSHDB, FLUSHALL and the like without SYNC or ASYNC."),
    integer("lfu-decay-time", "1", 0, INT_MAX)
        .acted()
        .doc("Minutes after which the counter of accesses falls by one."),
    integer("lfu-log-factor", "10", 0, INT_MAX)
        .acted()
        .doc("How much slower the counter of accesses grows, the higher it is."),
    memory("maxmemory", "0", 0, u64::MAX)
        .acted()
        .doc("Bytes of memory above which keys are evicted. Clients' buffers do not count: see `maxmemory-clients`. 0 is no limit."),
    integer("maxmemory-eviction-tenacity", "10", 0, 100)
        .acted()
        .doc("How many keys one command may wait to see evicted: 8, and 16 more for each step; from 100 on as many as it takes."),
    choice("maxmemory-policy", "noeviction", POLICIES)
        .acted()
        .doc("What to evict at `maxmemory`."),
    integer("maxmemory-samples", "5", 1, INT_MAX)
        .acted()
        .doc("Keys looked at to find one to evict."),
];
