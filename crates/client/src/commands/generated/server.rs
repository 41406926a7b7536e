//! The commands of the group `server`.
//!
//! Over 800 lines because a group is one file.
//!
//! Invariant: made from the server's command table by `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be
//! edited.

use super::super::Commands;
use crate::{Command, ToArg};

/// The commands of the group `server`, for everything that takes commands.
#[allow(clippy::too_many_arguments, reason = "as many as the command has")]
pub trait ServerCommands: Commands {
    /// Returns the categories of commands, or the commands of one.
    ///
    /// `ACL CAT [<category>]`
    ///
    /// O(1). Since 6.0.0.
    fn acl_cat(self) -> Self::Out {
        self.put(Command::new("ACL").arg("CAT"))
    }

    /// Removes users and closes their connections.
    ///
    /// `ACL DELUSER <username> [<username> ...]`
    ///
    /// O(1) for each user, and O(N) in the number of clients. Since 6.0.0.
    fn acl_deluser(self, username: impl ToArg) -> Self::Out {
        self.put(Command::new("ACL").arg("DELUSER").arg(username))
    }

    /// Tells whether a user could run a command, without running it.
    ///
    /// `ACL DRYRUN <username> <command> [<arg> [<arg> ...]]`
    ///
    /// O(1). Since 7.0.0.
    fn acl_dryrun(self, username: impl ToArg, command: impl ToArg) -> Self::Out {
        self.put(Command::new("ACL").arg("DRYRUN").arg(username).arg(command))
    }

    /// Makes a password: 256 random bits, or as many as asked for, as hexadecimal digits.
    ///
    /// `ACL GENPASS [<bits>]`
    ///
    /// O(1). Since 6.0.0.
    fn acl_genpass(self) -> Self::Out {
        self.put(Command::new("ACL").arg("GENPASS"))
    }

    /// Returns what a user may do.
    ///
    /// `ACL GETUSER <username>`
    ///
    /// O(N) in the number of rules. Since 6.0.0.
    fn acl_getuser(self, username: impl ToArg) -> Self::Out {
        self.put(Command::new("ACL").arg("GETUSER").arg(username))
    }

    /// Returns all users as lines of a configuration file.
    ///
    /// `ACL LIST`
    ///
    /// O(N) in the number of users. Since 6.0.0.
    fn acl_list(self) -> Self::Out {
        self.put(Command::new("ACL").arg("LIST"))
    }

    /// Reads all users from the ACL file: they replace those there are, or, if a line is wrong, nothing changes.
    ///
    /// `ACL LOAD`
    ///
    /// O(N) in the size of the file. Since 6.0.0.
    fn acl_load(self) -> Self::Out {
        self.put(Command::new("ACL").arg("LOAD"))
    }

    /// Returns what was denied lately, newest first, ten entries if no number is given; or forgets it.
    ///
    /// `ACL LOG [<count> | RESET]`
    ///
    /// O(N) in the number of entries returned. Since 6.0.0.
    fn acl_log(self) -> Self::Out {
        self.put(Command::new("ACL").arg("LOG"))
    }

    /// Writes all users to the ACL file.
    ///
    /// `ACL SAVE`
    ///
    /// O(N) in the number of users. Since 6.0.0.
    fn acl_save(self) -> Self::Out {
        self.put(Command::new("ACL").arg("SAVE"))
    }

    /// Makes a user, or changes one, by rules: all of them apply, or none.
    ///
    /// `ACL SETUSER <username> [<rule> [<rule> ...]]`
    ///
    /// O(N) in the number of rules. Since 6.0.0.
    fn acl_setuser(self, username: impl ToArg) -> Self::Out {
        self.put(Command::new("ACL").arg("SETUSER").arg(username))
    }

    /// Returns the names of all users.
    ///
    /// `ACL USERS`
    ///
    /// O(N) in the number of users. Since 6.0.0.
    fn acl_users(self) -> Self::Out {
        self.put(Command::new("ACL").arg("USERS"))
    }

    /// Returns the name of the connection's user.
    ///
    /// `ACL WHOAMI`
    ///
    /// O(1). Since 6.0.0.
    fn acl_whoami(self) -> Self::Out {
        self.put(Command::new("ACL").arg("WHOAMI"))
    }

    /// Rewrites the append-only file, so that it holds nothing that is not needed any more.
    ///
    /// `BGREWRITEAOF`
    ///
    /// O(1): keys are written in the background. Since 1.0.0.
    fn bgrewriteaof(self) -> Self::Out {
        self.put(Command::new("BGREWRITEAOF"))
    }

    /// Saves the dataset to disk while commands go on.
    ///
    /// `BGSAVE [SCHEDULE]`
    ///
    /// O(1): keys are written in the background. Since 1.0.0.
    fn bgsave(self) -> Self::Out {
        self.put(Command::new("BGSAVE"))
    }

    /// Looks at some more keys, and returns the biggest seen by this call and those before: key, database, type, elements, bytes; with how many keys this call looked at, how many there are, and how often all were gone through.
    ///
    /// `BIGKEYS [COUNT <count>] [KEYS <keys>]`
    ///
    /// O(N) in the number of keys looked at, in steps that let other clients through. Since 7.2.0.
    fn bigkeys(self) -> Self::Out {
        self.put(Command::new("BIGKEYS"))
    }

    /// Describes all commands.
    ///
    /// `COMMAND`
    ///
    /// O(N) in the number of commands. Since 2.8.13.
    fn command(self) -> Self::Out {
        self.put(Command::new("COMMAND"))
    }

    /// Returns the number of commands.
    ///
    /// `COMMAND COUNT`
    ///
    /// O(1). Since 2.8.13.
    fn command_count(self) -> Self::Out {
        self.put(Command::new("COMMAND").arg("COUNT"))
    }

    /// Documents some or all commands.
    ///
    /// `COMMAND DOCS [<command-name> [<command-name> ...]]`
    ///
    /// O(N) in the number of commands asked for. Since 7.0.0.
    fn command_docs(self) -> Self::Out {
        self.put(Command::new("COMMAND").arg("DOCS"))
    }

    /// Picks the keys out of a command's arguments.
    ///
    /// `COMMAND GETKEYS <command> [<arg> [<arg> ...]]`
    ///
    /// O(N) in the number of arguments. Since 2.8.13.
    fn command_getkeys(self, command: impl ToArg) -> Self::Out {
        self.put(Command::new("COMMAND").arg("GETKEYS").arg(command))
    }

    /// Picks the keys out of a command's arguments and tells what happens to them.
    ///
    /// `COMMAND GETKEYSANDFLAGS <command> [<arg> [<arg> ...]]`
    ///
    /// O(N) in the number of arguments. Since 7.0.0.
    fn command_getkeysandflags(self, command: impl ToArg) -> Self::Out {
        self.put(Command::new("COMMAND").arg("GETKEYSANDFLAGS").arg(command))
    }

    /// Describes some or all commands.
    ///
    /// `COMMAND INFO [<command-name> [<command-name> ...]]`
    ///
    /// O(N) in the number of commands asked for. Since 2.8.13.
    fn command_info(self) -> Self::Out {
        self.put(Command::new("COMMAND").arg("INFO"))
    }

    /// Returns the names of all commands, or of those that a filter lets through.
    ///
    /// `COMMAND LIST [FILTERBY <MODULE <module-name> | ACLCAT <category> | PATTERN <pattern>>]`
    ///
    /// O(N) in the number of commands. Since 7.0.0.
    fn command_list(self) -> Self::Out {
        self.put(Command::new("COMMAND").arg("LIST"))
    }

    /// Returns the values of all parameters that match a pattern.
    ///
    /// `CONFIG GET <parameter> [<parameter> ...]`
    ///
    /// O(N) in the number of patterns. Since 2.0.0.
    fn config_get(self, parameter: impl ToArg) -> Self::Out {
        self.put(Command::new("CONFIG").arg("GET").arg(parameter))
    }

    /// Lets the counters of INFO start from zero.
    ///
    /// `CONFIG RESETSTAT`
    ///
    /// O(1). Since 2.0.0.
    fn config_resetstat(self) -> Self::Out {
        self.put(Command::new("CONFIG").arg("RESETSTAT"))
    }

    /// Brings the configuration file up to date with the values in force.
    ///
    /// `CONFIG REWRITE`
    ///
    /// O(N) in the size of the file. Since 2.8.0.
    fn config_rewrite(self) -> Self::Out {
        self.put(Command::new("CONFIG").arg("REWRITE"))
    }

    /// Changes parameters of the running server: all of them, or none.
    ///
    /// `CONFIG SET <parameter> <value> [<parameter> <value> ...]`
    ///
    /// O(N) in the number of parameters. Since 2.0.0.
    fn config_set(self, data: impl ToArg) -> Self::Out {
        self.put(Command::new("CONFIG").arg("SET").arg(data))
    }

    /// Returns the number of keys in the selected database.
    ///
    /// `DBSIZE`
    ///
    /// O(1). Since 1.0.0.
    fn dbsize(self) -> Self::Out {
        self.put(Command::new("DBSIZE"))
    }

    /// Has the writer of the append-only file sleep so many microseconds before it writes.
    ///
    /// `DEBUG AOF-FLUSH-SLEEP <microseconds>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_aof_flush_sleep(self, microseconds: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("AOF-FLUSH-SLEEP").arg(microseconds))
    }

    /// Ends the server by an assertion that does not hold.
    ///
    /// `DEBUG ASSERT`
    ///
    /// O(1). Since 1.0.0.
    fn debug_assert(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("ASSERT"))
    }

    /// Makes a new replication id, as if this were another server.
    ///
    /// `DEBUG CHANGE-REPL-ID`
    ///
    /// O(1). Since 1.0.0.
    fn debug_change_repl_id(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("CHANGE-REPL-ID"))
    }

    /// Like CONFIG REWRITE, but writes all parameters to the file, whatever their values.
    ///
    /// `DEBUG CONFIG-REWRITE-FORCE-ALL`
    ///
    /// O(1). Since 1.0.0.
    fn debug_config_rewrite_force_all(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("CONFIG-REWRITE-FORCE-ALL"))
    }

    /// Returns a digest of all databases that does not depend on the order of keys.
    ///
    /// `DEBUG DIGEST`
    ///
    /// O(N) in the bytes of all keys and values. Since 1.0.0.
    fn debug_digest(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("DIGEST"))
    }

    /// Returns a digest of each of these keys' values; zeros for a key that does not exist.
    ///
    /// `DEBUG DIGEST-VALUE <key> [<key> ...]`
    ///
    /// O(N) in the bytes of the values. Since 1.0.0.
    fn debug_digest_value(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("DIGEST-VALUE").arg(key))
    }

    /// Replies with this error.
    ///
    /// `DEBUG ERROR <message>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_error(self, message: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("ERROR").arg(message))
    }

    /// Shows the size of a database's dict and of its deadlines.
    ///
    /// `DEBUG HTSTATS <dbid> [FULL]`
    ///
    /// O(1). Since 1.0.0.
    fn debug_htstats(self, dbid: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("HTSTATS").arg(dbid))
    }

    /// Shows the hash table of a value; none has one here, big values are trees.
    ///
    /// `DEBUG HTSTATS-KEY <key> [FULL]`
    ///
    /// O(1). Since 1.0.0.
    fn debug_htstats_key(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("HTSTATS-KEY").arg(key))
    }

    /// Leaks a copy of this text.
    ///
    /// `DEBUG LEAK <text>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_leak(self, text: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("LEAK").arg(text))
    }

    /// Shows the size of a value whose encoding is `listpack`.
    ///
    /// `DEBUG LISTPACK <key>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_listpack(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("LISTPACK").arg(key))
    }

    /// Writes what is to be logged and loads the append-only files.
    ///
    /// `DEBUG LOADAOF`
    ///
    /// O(N) in the bytes of the log. Since 1.0.0.
    fn debug_loadaof(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("LOADAOF"))
    }

    /// Writes a message to the server's log.
    ///
    /// `DEBUG LOG <message>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_log(self, message: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("LOG").arg(message))
    }

    /// Reads a number of the allocator's, and sets it if a value is given.
    ///
    /// `DEBUG MALLCTL <name> [<value>]`
    ///
    /// O(1). Since 1.0.0.
    fn debug_mallctl(self, name: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("MALLCTL").arg(name))
    }

    /// Reads a text of the allocator's.
    ///
    /// `DEBUG MALLCTL-STR <name>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_mallctl_str(self, name: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("MALLCTL-STR").arg(name))
    }

    /// Shows how the value of a key is kept.
    ///
    /// `DEBUG OBJECT <key>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_object(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("OBJECT").arg(key))
    }

    /// Ends the server as when the system has no memory left.
    ///
    /// `DEBUG OOM`
    ///
    /// O(1). Since 1.0.0.
    fn debug_oom(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("OOM"))
    }

    /// Ends the server by a panic.
    ///
    /// `DEBUG PANIC`
    ///
    /// O(1). Since 1.0.0.
    fn debug_panic(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("PANIC"))
    }

    /// With 1, signals that stop the server wait until 0, as nothing else here happens at fixed times.
    ///
    /// `DEBUG PAUSE-CRON <on>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_pause_cron(self, on: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("PAUSE-CRON").arg(on))
    }

    /// Makes so many keys, named 'key' or the prefix with a number behind it.
    ///
    /// `DEBUG POPULATE <count> [<prefix>] [<size>]`
    ///
    /// O(N) in the number of keys. Since 1.0.0.
    fn debug_populate(self, count: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("POPULATE").arg(count))
    }

    /// Replies with a sample of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true, false.
    ///
    /// `DEBUG PROTOCOL <type>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_protocol(self, type_: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("PROTOCOL").arg(type_))
    }

    /// Shows the size and the leaves of a list whose encoding is `quicklist`.
    ///
    /// `DEBUG QUICKLIST <key> [<detail>]`
    ///
    /// O(N) in the leaves of the list. Since 1.0.0.
    fn debug_quicklist(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("QUICKLIST").arg(key))
    }

    /// Accepted for the sake of Redis's tests: lists here have no plain nodes.
    ///
    /// `DEBUG QUICKLIST-PACKED-THRESHOLD <size>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_quicklist_packed_threshold(self, size: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("QUICKLIST-PACKED-THRESHOLD").arg(size))
    }

    /// Saves the dump file and loads it again.
    ///
    /// `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`
    ///
    /// O(N) in the bytes of all keys and values. Since 1.0.0.
    fn debug_reload(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("RELOAD"))
    }

    /// Accepted for the sake of Redis's tests: a client has a reply buffer only while there is a reply in it.
    ///
    /// `DEBUG REPLYBUFFER <PEAK-RESET-TIME <time> | RESIZING <on>>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_replybuffer(self, setting: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("REPLYBUFFER").arg(setting))
    }

    /// Ends the server by SIGSEGV.
    ///
    /// `DEBUG SEGFAULT`
    ///
    /// O(1). Since 1.0.0.
    fn debug_segfault(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("SEGFAULT"))
    }

    /// With 0, expired keys are removed only when they are accessed; with 1, by time as well.
    ///
    /// `DEBUG SET-ACTIVE-EXPIRE <on>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_set_active_expire(self, on: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("SET-ACTIVE-EXPIRE").arg(on))
    }

    /// Lets scripts run commands that are not for scripts (1), or no longer (0).
    ///
    /// `DEBUG SET-DISABLE-DENY-SCRIPTS <on>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_set_disable_deny_scripts(self, on: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("SET-DISABLE-DENY-SCRIPTS").arg(on))
    }

    /// With 1, RESTORE takes payloads whatever their checksum.
    ///
    /// `DEBUG SET-SKIP-CHECKSUM-VALIDATION <on>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_set_skip_checksum_validation(self, on: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("SET-SKIP-CHECKSUM-VALIDATION").arg(on))
    }

    /// Stalls the server for so many seconds; decimals are allowed.
    ///
    /// `DEBUG SLEEP <seconds>`
    ///
    /// O(1). Since 1.0.0.
    fn debug_sleep(self, seconds: impl ToArg) -> Self::Out {
        self.put(Command::new("DEBUG").arg("SLEEP").arg(seconds))
    }

    /// Tries the matcher of patterns with random ones.
    ///
    /// `DEBUG STRINGMATCH-TEST`
    ///
    /// O(1). Since 1.0.0.
    fn debug_stringmatch_test(self) -> Self::Out {
        self.put(Command::new("DEBUG").arg("STRINGMATCH-TEST"))
    }

    /// Removes all keys from all databases.
    ///
    /// `FLUSHALL [ASYNC | SYNC]`
    ///
    /// O(1): keys are freed in the background. Since 1.0.0.
    fn flushall(self) -> Self::Out {
        self.put(Command::new("FLUSHALL"))
    }

    /// Removes all keys from the selected database.
    ///
    /// `FLUSHDB [ASYNC | SYNC]`
    ///
    /// O(1): keys are freed in the background. Since 1.0.0.
    fn flushdb(self) -> Self::Out {
        self.put(Command::new("FLUSHDB"))
    }

    /// Returns the keys that most commands name, an estimate of the last minute: key, database, commands a second, percent of all.
    ///
    /// `HOTKEYS [COUNT <count>]`
    ///
    /// O(W) in the number of workers. Since 7.2.0.
    fn hotkeys(self) -> Self::Out {
        self.put(Command::new("HOTKEYS"))
    }

    /// Tells about the server, by sections.
    ///
    /// `INFO [<section> [<section> ...]]`
    ///
    /// O(1). Since 1.0.0.
    fn info(self) -> Self::Out {
        self.put(Command::new("INFO"))
    }

    /// Returns when the dataset was last saved, in seconds since 1970.
    ///
    /// `LASTSAVE`
    ///
    /// O(1). Since 1.0.0.
    fn lastsave(self) -> Self::Out {
        self.put(Command::new("LASTSAVE"))
    }

    /// Returns what can be read out of the samples, and advice, for people.
    ///
    /// `LATENCY DOCTOR`
    ///
    /// O(1). Since 2.8.13.
    fn latency_doctor(self) -> Self::Out {
        self.put(Command::new("LATENCY").arg("DOCTOR"))
    }

    /// Draws the samples of an event.
    ///
    /// `LATENCY GRAPH <event>`
    ///
    /// O(1). Since 2.8.13.
    fn latency_graph(self, event: impl ToArg) -> Self::Out {
        self.put(Command::new("LATENCY").arg("GRAPH").arg(event))
    }

    /// Returns how many calls of the commands stayed below which time; without a name, of all commands that were called.
    ///
    /// `LATENCY HISTOGRAM [<COMMAND> [<COMMAND> ...]]`
    ///
    /// O(N) in the number of commands with data. Since 7.0.0.
    fn latency_histogram(self) -> Self::Out {
        self.put(Command::new("LATENCY").arg("HISTOGRAM"))
    }

    /// Returns the samples of an event: seconds since 1970, and milliseconds.
    ///
    /// `LATENCY HISTORY <event>`
    ///
    /// O(1). Since 2.8.13.
    fn latency_history(self, event: impl ToArg) -> Self::Out {
        self.put(Command::new("LATENCY").arg("HISTORY").arg(event))
    }

    /// Returns for each event its latest sample and the longest of all.
    ///
    /// `LATENCY LATEST`
    ///
    /// O(1). Since 2.8.13.
    fn latency_latest(self) -> Self::Out {
        self.put(Command::new("LATENCY").arg("LATEST"))
    }

    /// Removes the samples of these events, or of all.
    ///
    /// `LATENCY RESET [<event> [<event> ...]]`
    ///
    /// O(1). Since 2.8.13.
    fn latency_reset(self) -> Self::Out {
        self.put(Command::new("LATENCY").arg("RESET"))
    }

    /// Draws a picture, and tells the version.
    ///
    /// `LOLWUT [VERSION <version>]`
    ///
    /// O(N) in the characters of the picture. Since 5.0.0.
    fn lolwut(self) -> Self::Out {
        self.put(Command::new("LOLWUT"))
    }

    /// Returns what is unusual about the use of memory, for people.
    ///
    /// `MEMORY DOCTOR`
    ///
    /// O(1). Since 4.0.0.
    fn memory_doctor(self) -> Self::Out {
        self.put(Command::new("MEMORY").arg("DOCTOR"))
    }

    /// Returns the allocator's own report.
    ///
    /// `MEMORY MALLOC-STATS`
    ///
    /// O(N) in the number of the allocator's arenas and size classes. Since 4.0.0.
    fn memory_malloc_stats(self) -> Self::Out {
        self.put(Command::new("MEMORY").arg("MALLOC-STATS"))
    }

    /// Lets the allocator give its unused pages back to the system.
    ///
    /// `MEMORY PURGE`
    ///
    /// O(N) in the number of unused pages. Since 4.0.0.
    fn memory_purge(self) -> Self::Out {
        self.put(Command::new("MEMORY").arg("PURGE"))
    }

    /// Returns figures of the use of memory.
    ///
    /// `MEMORY STATS`
    ///
    /// O(1). Since 4.0.0.
    fn memory_stats(self) -> Self::Out {
        self.put(Command::new("MEMORY").arg("STATS"))
    }

    /// Returns the bytes that a key and its value take. Nothing is estimated, so SAMPLES changes nothing.
    ///
    /// `MEMORY USAGE <key> [SAMPLES <count>]`
    ///
    /// O(N) in the number of the value's chunks. Since 4.0.0.
    fn memory_usage(self, key: impl ToArg) -> Self::Out {
        self.put(Command::new("MEMORY").arg("USAGE").arg(key))
    }

    /// Returns the modules that are loaded: none.
    ///
    /// `MODULE LIST`
    ///
    /// O(1). Since 4.0.0.
    fn module_list(self) -> Self::Out {
        self.put(Command::new("MODULE").arg("LIST"))
    }

    /// Is refused: this server loads no modules.
    ///
    /// `MODULE LOAD <path> [<arg> [<arg> ...]]`
    ///
    /// O(1). Since 4.0.0.
    fn module_load(self, path: impl ToArg) -> Self::Out {
        self.put(Command::new("MODULE").arg("LOAD").arg(path))
    }

    /// Is refused: this server loads no modules.
    ///
    /// `MODULE LOADEX <path> [CONFIG <name> <value> [CONFIG <name> <value> ...]] [ARGS <args> [ARGS <args> ...]]`
    ///
    /// O(1). Since 7.0.0.
    fn module_loadex(self, path: impl ToArg) -> Self::Out {
        self.put(Command::new("MODULE").arg("LOADEX").arg(path))
    }

    /// Is refused: no module is loaded.
    ///
    /// `MODULE UNLOAD <name>`
    ///
    /// O(1). Since 4.0.0.
    fn module_unload(self, name: impl ToArg) -> Self::Out {
        self.put(Command::new("MODULE").arg("UNLOAD").arg(name))
    }

    /// Shows every command that runs.
    ///
    /// `MONITOR`
    ///
    /// O(1), and a line for every command from then on. Since 1.0.0.
    fn monitor(self) -> Self::Out {
        self.put(Command::new("MONITOR"))
    }

    /// Returns the server's part in replication: master, its offset, and its replicas.
    ///
    /// `ROLE`
    ///
    /// O(1). Since 2.8.12.
    fn role(self) -> Self::Out {
        self.put(Command::new("ROLE"))
    }

    /// Saves the dataset to disk and waits for it.
    ///
    /// `SAVE`
    ///
    /// O(N), N being the number of keys. Since 1.0.0.
    fn save(self) -> Self::Out {
        self.put(Command::new("SAVE"))
    }

    /// Saves the dataset, if so asked or if there are save points, and ends the server.
    ///
    /// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
    ///
    /// O(1). Since 1.0.0.
    fn shutdown(self) -> Self::Out {
        self.put(Command::new("SHUTDOWN"))
    }

    /// Returns the newest entries, ten if no number is given, with -1 all: number, time, microseconds, arguments, address and name of the client.
    ///
    /// `SLOWLOG GET [<count>]`
    ///
    /// O(N) in the number of entries returned. Since 2.2.12.
    fn slowlog_get(self) -> Self::Out {
        self.put(Command::new("SLOWLOG").arg("GET"))
    }

    /// Returns the number of entries.
    ///
    /// `SLOWLOG LEN`
    ///
    /// O(1). Since 2.2.12.
    fn slowlog_len(self) -> Self::Out {
        self.put(Command::new("SLOWLOG").arg("LEN"))
    }

    /// Removes all entries.
    ///
    /// `SLOWLOG RESET`
    ///
    /// O(N) in the number of entries. Since 2.2.12.
    fn slowlog_reset(self) -> Self::Out {
        self.put(Command::new("SLOWLOG").arg("RESET"))
    }

    /// Exchanges the contents of two databases.
    ///
    /// `SWAPDB <index1> <index2>`
    ///
    /// O(N) in the number of keys that are watched. Since 4.0.0.
    fn swapdb(self, index1: impl ToArg, index2: impl ToArg) -> Self::Out {
        self.put(Command::new("SWAPDB").arg(index1).arg(index2))
    }

    /// Returns the time since 1970: seconds, and microseconds of the second.
    ///
    /// `TIME`
    ///
    /// O(1). Since 2.6.0.
    fn time(self) -> Self::Out {
        self.put(Command::new("TIME"))
    }
}

impl<C: Commands> ServerCommands for C {}
