//! Keys of the process: logs, directories, supervision, title, threads' processors.

use super::super::key::{INT_MAX, Key, Kind, checked_text, choice, integer, special, text, yes_no};
use super::super::special::title_template;

const FACILITIES: &[&str] = &[
    "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

pub(super) const KEYS: &[Key] = &[
    yes_no("always-show-logo", "no")
        .moot()
        .at_start()
        .doc("Redis draws its logo in the log. Here is nothing to draw."),
    text("aof_rewrite_cpulist", "")
        .moot()
        .at_start()
        .idle("")
        .doc("Processors of Redis's rewriting process. Dunlin never forks."),
    text("bgsave_cpulist", "")
        .acted()
        .at_start()
        .doc("Processors of the thread that saves, such as `0-3` or `1,3`."),
    text("bio_cpulist", "")
        .acted()
        .at_start()
        .doc("Processors of the background threads, such as `0-3` or `1,3`."),
    yes_no("crash-log-enabled", "yes")
        .acted()
        .doc("Write a report with version and backtrace into the log before the process dies of a bug."),
    yes_no("crash-memcheck-enabled", "yes")
        .moot()
        .doc("Redis tests the machine's memory when it crashes. Dunlin does not."),
    yes_no("daemonize", "no")
        .acted()
        .at_start()
        .doc("Go into the background. The exit code says only that the server was started; the log says how it went on."),
    special("dir", Kind::Directory, "./")
        .acted()
        .protected()
        .doc("Working directory. Relative paths of other keys, and of `include` lines below it, start from here. CONFIG GET shows it absolute."),
    yes_no("dynamic-hz", "yes")
        .moot()
        .doc("Whether Redis does its housekeeping more often with more clients. See `hz`."),
    integer("hz", "10", 0, INT_MAX)
        .moot()
        .doc("How often Redis does its housekeeping, 1 to 500 times a second (other values are cut to that). Dunlin has timers for what is due, and does nothing while nothing is."),
    text("ignore-warnings", "")
        .doc("Start-up checks to pass over, by name (`ARM64-COW-BUG` in Redis, which does not concern Dunlin)."),
    text("locale-collate", "")
        .doc("Locale by which SORT ALPHA compares. Empty takes the environment's."),
    choice("log-format", "legacy", &["legacy", "logfmt", "json"])
        .acted()
        .doc("How a message is written: `legacy` is Redis's line, `logfmt` is `name=value` pairs as Valkey has them, `json` an object for each line; both have the time with its zone (ISO 8601)."),
    text("logfile", "")
        .acted()
        .at_start()
        .doc("File that the log is appended to; empty is standard output. One that was moved away is opened anew by a message a second later, or at once by SIGHUP, so that logrotate can move it."),
    choice("loglevel", "notice", &["debug", "verbose", "notice", "warning", "nothing"])
        .acted()
        .doc("The least urgent messages that are logged."),
    choice("oom-score-adj", "no", &["no", "yes", "relative", "absolute"])
        .acted()
        .doc("Whether to tell the kernel which process to end first when memory runs out: `yes` or `relative` adds `oom-score-adj-values` to the score that the process had, `absolute` sets it. `no` puts it back."),
    special("oom-score-adj-values", Kind::OomScores, "0 200 800")
        .acted()
        .doc("Scores for a master, a replica and a background process, each from -2000 to 2000; the kernel's own bound is 1000. Only the first is used yet; Dunlin has no background process."),
    text("pidfile", "")
        .acted()
        .at_start()
        .doc("File that holds the process id while the server runs."),
    checked_text("proc-title-template", "{title} {listen-addr} {server-mode}", title_template)
        .acted()
        .doc("What `ps` shows in the place of the command line, where the kernel lets a process say so. May use `{title}` (the program as it was called), `{listen-addr}`, `{server-mode}` (empty), `{port}`, `{tls-port}`, `{unixsocket}`, `{config-file}`."),
    text("server_cpulist", "")
        .acted()
        .at_start()
        .doc("Processors of the workers, such as `0-7:2`."),
    yes_no("set-proc-title", "yes")
        .acted()
        .at_start()
        .doc("Name the process after the program as it was called (`redis-server`), and show `proc-title-template` in the place of its command line."),
    special(
        "shutdown-on-sigint",
        Kind::Flags(&["default", "save", "nosave", "now", "force"]),
        "default",
    )
    .acted()
    .doc("How to stop on SIGINT. Words may be combined: `save` or `nosave` (by default the dataset is saved if there are save points), `force` to stop though saving failed. `now` changes nothing, for there are no replicas to wait for."),
    special(
        "shutdown-on-sigterm",
        Kind::Flags(&["default", "save", "nosave", "now", "force"]),
        "default",
    )
    .acted()
    .doc("How to stop on SIGTERM, as `shutdown-on-sigint`."),
    integer("shutdown-timeout", "10", 0, INT_MAX)
        .acted()
        .doc("Seconds that a graceful stop may take before what is left is cut. Clients that take none of their replies are cut after half a second."),
    choice("supervised", "no", &["upstart", "systemd", "auto", "no"])
        .acted()
        .at_start()
        .doc("Which supervisor to tell that the server is ready: `systemd` by the datagrams of sd_notify, `upstart` by stopping once, `auto` whichever left its mark in the environment. A supervised server never goes into the background."),
    yes_no("syslog-enabled", "no")
        .acted()
        .at_start()
        .doc("Send every message to the system's log (`/dev/log`) as well. What it does not take at once is dropped."),
    choice("syslog-facility", "local0", FACILITIES)
        .acted()
        .at_start()
        .doc("Facility of syslog messages."),
    text("syslog-ident", "redis")
        .acted()
        .at_start()
        .doc("Name in syslog messages."),
    yes_no("use-exit-on-panic", "no")
        .moot()
        .hidden()
        .doc("A test hook of Redis."),
    integer("watchdog-period", "0", 0, INT_MAX)
        .hidden()
        .idle("0")
        .doc("Milliseconds after which Redis's software watchdog reports a stuck command. 0 is off."),
];
