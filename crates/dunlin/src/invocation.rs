//! What the command line asks for.
//!
//! Invariant: under a name that ends in `-server` every argument means what it means to redis-server, and likewise for redis-check-rdb and
//! redis-check-aof; so links with these names are drop-ins.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use dunlin_server::logging::startup::{REDIS_VERSION, VERSION};

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation<'a> {
    /// Run the server with these arguments.
    Server(&'a [OsString]),
    /// Check a dump file.
    CheckRdb(&'a [OsString]),
    /// Check a log.
    CheckAof(&'a [OsString]),
    /// Put load on a server.
    Bench(&'a [OsString]),
    /// Be a client. `plain`: called by redis-cli's name, whose users expect its formats alone.
    Cli {
        arguments: &'a [OsString],
        plain: bool,
    },
    /// Take messages of devices.
    Gateway(&'a [OsString]),
    /// Be such devices.
    Submit(&'a [OsString]),
    /// Write the completions of a shell.
    Completions(&'a [OsString]),
    /// Write a page of the manual.
    Man(&'a [OsString]),
    /// Print the version.
    Version,
    /// Print how to use it.
    Help,
    /// Refuse an option of redis-server that is not a key.
    Unsupported(String),
}

impl<'a> Invocation<'a> {
    /// Reads all arguments, the program's name first.
    pub(crate) fn of(arguments: &'a [OsString]) -> Self {
        let (program, rest) = match arguments.split_first() {
            Some((program, rest)) => (program.as_os_str(), rest),
            None => (OsStr::new("dunlin"), &[][..]),
        };
        let name = program.as_bytes();
        let is_server = name.ends_with(b"-server");
        // The tools take no subcommand: a file may have any name.
        if name.ends_with(b"-check-rdb") {
            return Invocation::CheckRdb(rest);
        }
        if name.ends_with(b"-check-aof") {
            return Invocation::CheckAof(rest);
        }
        if name.ends_with(b"-benchmark") {
            return Invocation::Bench(rest);
        }
        if name.ends_with(b"-cli") {
            return Invocation::Cli {
                arguments: rest,
                plain: true,
            };
        }
        match rest.split_first() {
            Some((first, rest)) if !is_server && first == "check-rdb" => {
                return Invocation::CheckRdb(rest);
            }
            Some((first, rest)) if !is_server && first == "check-aof" => {
                return Invocation::CheckAof(rest);
            }
            Some((first, rest)) if !is_server && first == "bench" => {
                return Invocation::Bench(rest);
            }
            Some((first, rest)) if !is_server && first == "cli" => {
                return Invocation::Cli {
                    arguments: rest,
                    plain: false,
                };
            }
            Some((first, rest)) if !is_server && first == "gateway" => {
                return Invocation::Gateway(rest);
            }
            Some((first, rest)) if !is_server && first == "submit" => {
                return Invocation::Submit(rest);
            }
            Some((first, rest)) if !is_server && first == "completions" => {
                return Invocation::Completions(rest);
            }
            Some((first, rest)) if !is_server && first == "man" => {
                return Invocation::Man(rest);
            }
            _ => {}
        }
        let rest = match rest.split_first() {
            Some((first, rest)) if !is_server && first == "server" => rest,
            _ => rest,
        };
        match rest.first().map(|first| first.as_bytes()) {
            Some(b"-v" | b"--version") => Invocation::Version,
            Some(b"-h" | b"--help") => Invocation::Help,
            Some(option @ (b"--test-memory" | b"--check-system")) => {
                Invocation::Unsupported(String::from_utf8_lossy(option).into_owned())
            }
            _ => Invocation::Server(rest),
        }
    }
}

/// One line, in the order of redis-server's, which scripts read.
pub(crate) fn version() -> String {
    format!(
        "Dunlin server v={VERSION} redis={REDIS_VERSION} malloc=jemalloc bits={}\n",
        usize::BITS
    )
}

pub(crate) const HELP: &str = "\
Usage: dunlin [server] [/path/to/redis.conf] [--key value ...] [-]
       dunlin [server] -              read the configuration from standard input
       dunlin check-rdb FILE          look at a dump file
       dunlin check-aof [--fix | --truncate-to-timestamp SECONDS] FILE
                                      look at a log: FILE is its manifest, or one file of it
       dunlin cli [OPTIONS] [COMMAND ...]
                                      a client at the prompt and for scripts: docs/cli.md, or --help
       dunlin bench [OPTIONS] [COMMAND ...]
                                      load and latencies: docs/bench.md, or --help
       dunlin gateway [OPTIONS]       take messages of devices into a stream: docs/gateway.md, or --help
       dunlin submit [OPTIONS] ADDRESS
                                      submit messages as many devices, and report
       dunlin completions SHELL       completions of bash, zsh, fish
       dunlin man [PAGE]              a page of the manual: dunlin, dunlin-cli, dunlin.conf ...
       dunlin -v | --version
       dunlin -h | --help

A link to this program whose name ends in `-server` (redis-server) means the same as `dunlin server`; likewise redis-check-rdb,
redis-check-aof, redis-cli and redis-benchmark.
Later settings win: the file, then standard input, then the options. Every key: docs/configuration.md.

Examples:
       dunlin                         serve 127.0.0.1:6379
       dunlin /etc/redis/redis.conf --port 7777 --loglevel verbose
       echo 'maxclients 100' | dunlin - --port 7777
";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: impl FnOnce(&[OsString]) -> Invocation<'_>) {
        let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        assert_eq!(Invocation::of(&arguments), expected(&arguments), "{line}");
    }

    #[test]
    fn ways_to_start() {
        check("dunlin", |all| Invocation::Server(&all[1..]));
        check("dunlin server", |all| Invocation::Server(&all[2..]));
        check("dunlin a.conf --port 1", |all| {
            Invocation::Server(&all[1..])
        });
        check("dunlin server a.conf --port 1", |all| {
            Invocation::Server(&all[2..])
        });
        check("/usr/bin/redis-server --port 1", |all| {
            Invocation::Server(&all[1..])
        });
        check("dunlin-server server", |all| Invocation::Server(&all[1..]));
        check("dunlin --version", |_| Invocation::Version);
        check("dunlin server -v", |_| Invocation::Version);
        check("redis-server --help", |_| Invocation::Help);
        check("redis-server --test-memory 1", |_| {
            Invocation::Unsupported("--test-memory".to_owned())
        });
        check("dunlin --port 1 --version", |all| {
            Invocation::Server(&all[1..])
        });
        assert_eq!(Invocation::of(&[]), Invocation::Server(&[]));
        check("dunlin check-rdb a.rdb", |all| {
            Invocation::CheckRdb(&all[2..])
        });
        check("dunlin check-aof --fix a", |all| {
            Invocation::CheckAof(&all[2..])
        });
        check("redis-check-aof check-aof", |all| {
            Invocation::CheckAof(&all[1..])
        });
        check("bin/redis-check-rdb -v", |all| {
            Invocation::CheckRdb(&all[1..])
        });
        check("dunlin cli -h x", |all| Invocation::Cli {
            arguments: &all[2..],
            plain: false,
        });
        check("redis-benchmark -q", |all| Invocation::Bench(&all[1..]));
        check("dunlin bench -q", |all| Invocation::Bench(&all[2..]));
        check("src/redis-cli cli", |all| Invocation::Cli {
            arguments: &all[1..],
            plain: true,
        });
        check("dunlin gateway --listen :1", |all| {
            Invocation::Gateway(&all[2..])
        });
        check("dunlin submit -c 5", |all| Invocation::Submit(&all[2..]));
        check("redis-server check-rdb", |all| {
            Invocation::Server(&all[1..])
        });
    }
}
