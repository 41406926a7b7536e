//! DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]: saves the dump and loads it. DEBUG LOADAOF: loads the append-only files.
//!
//! Both hold all stripes on the auxiliary thread; what needs data meanwhile is refused as at the start.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use dunlin_engine::command::{Argument, Scope};
use dunlin_engine::{Args, Command, Ctx, Engine, Flow, Outcome, ReplyError, Session};

use super::{FAMILY, permit};
use crate::host::host;
use crate::persistence::aof;
use crate::persistence::disk::Disk;
use crate::persistence::load::{DumpRules, LoadError, Loader};
use crate::shared::Shared;

/// How long LOADAOF waits until what was logged is in the file: so many times this.
const WRITTEN_WAITS: u32 = 5_000;
const WRITTEN_WAIT: Duration = Duration::from_millis(2);

/// DEBUG RELOAD.
pub(super) const RELOAD: Command = Command {
    scope: Scope::All,
    complexity: "O(N) in the bytes of all keys and values",
    summary: "Saves the dump file and loads it again.",
    arguments: &[
        Argument::token("merge", "MERGE").optional(),
        Argument::token("noflush", "NOFLUSH").optional(),
        Argument::token("nosave", "NOSAVE").optional(),
    ],
    weight: Some(everything),
    ..FAMILY.subcommand("reload", "debug", reload)
};

/// DEBUG LOADAOF.
pub(super) const LOADAOF: Command = Command {
    scope: Scope::All,
    complexity: "O(N) in the bytes of the log",
    summary: "Writes what is to be logged and loads the append-only files.",
    weight: Some(everything),
    ..FAMILY.subcommand("loadaof", "debug", load_aof)
};

/// Never on a worker: it reads files.
fn everything(_engine: &Engine, _session: &Session, _args: Args<'_>) -> u64 {
    u64::MAX
}

fn reload(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=usize::MAX)?;
    // At the start something is being loaded already.
    let shared = Arc::clone(&host(cx).shared);
    if shared.is_loading() {
        return Err(ReplyError::Loading);
    }
    let (mut flush, mut save) = (true, true);
    let mut rules = DumpRules::default();
    for option in cx.args.from(2) {
        match option.to_ascii_lowercase().as_slice() {
            b"merge" => rules.replace = true,
            b"noflush" => flush = false,
            b"nosave" => save = false,
            _ => {
                return Err(ReplyError::err(
                    "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    if save {
        let keys = &mut cx.keys;
        let saved = shared
            .saving
            .save_held(&shared, |db, visit| keys.for_each(db, |entry| visit(entry)));
        if !saved {
            return Err(ReplyError::Text("ERR".into()));
        }
    }
    let disk = Arc::clone(shared.saving.disk());
    let loaded = with_loader(cx, &shared, &*disk, |loader, cx| {
        loader.reload(cx, flush, rules)
    });
    if !told(loaded) {
        return Err(ReplyError::err(
            "Error trying to load the RDB dump, check server logs.",
        ));
    }
    tracing::info!("DB reloaded by DEBUG RELOAD");
    cx.reply.ok();
    Ok(Flow::Done)
}

fn load_aof(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=0)?;
    let shared = Arc::clone(&host(cx).shared);
    if shared.is_loading() {
        return Err(ReplyError::Loading);
    }
    let failed = || ReplyError::err("Error trying to load the AOF files, check server logs.");
    if !is_written(&shared) {
        tracing::warn!("DEBUG LOADAOF: the disk does not take what is to be logged");
        return Err(failed());
    }
    let files = aof::open(&shared).map_err(|error| {
        tracing::error!("{error}");
        failed()
    })?;
    let disk = Arc::clone(shared.saving.disk());
    let loaded = with_loader(cx, &shared, &*disk, |loader, cx| {
        let place = files.place();
        loader
            .reload_log(cx, &place)
            .map(|_| !place.manifest.is_empty())
    });
    if !told(loaded) {
        return Err(failed());
    }
    shared.saving.note_loaded(&shared);
    tracing::info!("Append Only File loaded by DEBUG LOADAOF");
    cx.reply.ok();
    Ok(Flow::Done)
}

fn with_loader<T>(
    cx: &mut Ctx<'_>,
    shared: &Arc<Shared>,
    disk: &dyn Disk,
    load: impl FnOnce(&Loader<'_>, &mut Ctx<'_>) -> T,
) -> T {
    let clock = Arc::clone(&host(cx).clock);
    let loader = Loader {
        shared,
        disk,
        clock: &clock,
        threads: 1,
    };
    load(&loader, cx)
}

/// Whether there was something and it was loaded; the log says what was wrong.
fn told(loaded: Result<bool, LoadError>) -> bool {
    loaded.unwrap_or_else(|error| {
        tracing::error!("{error}");
        false
    })
}

/// Waits until all that was logged is in the file; nothing more is, since all stripes are held.
fn is_written(shared: &Shared) -> bool {
    let position = shared.engine.store.log.position();
    for _ in 0..WRITTEN_WAITS {
        let journal = &shared.journal;
        if !journal.is_on() || journal.written.load(Ordering::Acquire) >= position {
            return true;
        }
        journal.signal();
        thread::sleep(WRITTEN_WAIT);
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;
    use crate::config::Config;

    /// A server whose files are in a directory of its own.
    struct Directory(std::path::PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let path = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).expect("it can be made");
            Directory(path)
        }

        fn console(&self) -> Console {
            let dir = self.0.to_str().expect("it is text");
            let options = ["--enable-debug-command", "yes", "--dir", dir];
            Console::new(Config::load(&options).expect("valid").config)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_saved_comes_back() {
        let directory = Directory::new("reload");
        let mut console = directory.console();
        console.run("SET a 1; RPUSH l 1 2 3; SELECT 2; HSET h f v; SELECT 0; SET e 1 PX 5");
        let digest = console.run("+5ms; EXISTS e; DEBUG DIGEST");
        assert_eq!(
            console.run("DEBUG RELOAD; DEBUG DIGEST"),
            format!("OK; {}", digest.rsplit("; ").next().expect("a digest"))
        );
        assert_eq!(
            console.run("SET a 2; SET b 3; DEBUG RELOAD NOSAVE; GET a; GET b"),
            "OK; OK; OK; 1; nil"
        );
        assert_eq!(
            console.run(
                "DEL a; SET l 2; SET b 3; DEBUG RELOAD NOSAVE NOFLUSH MERGE; GET a; TYPE l; GET b"
            ),
            "1; OK; OK; OK; 1; list; 3"
        );
        assert_eq!(
            console.run("DEBUG RELOAD NOSAVE NOFLUSH"),
            "(error) ERR Error trying to load the RDB dump, check server logs."
        );
        assert_eq!(console.run("DEBUG RELOAD NOSAVE; GET a"), "OK; 1");
        assert!(!console.shared.is_loading());
        let is_loading = &console.shared.engine.is_loading;
        is_loading.store(true, std::sync::atomic::Ordering::SeqCst);
        let refused = "(error) LOADING Redis is loading the dataset in memory";
        assert_eq!(
            console.run("DEBUG RELOAD; DEBUG LOADAOF; DEBUG POPULATE 1"),
            format!("{refused}; {refused}; {refused}")
        );
        console.shared.loaded();
        assert_eq!(
            console.run("DEBUG RELOAD TWICE"),
            "(error) ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
        );
    }

    #[test]
    fn the_log_comes_back() {
        let directory = Directory::new("loadaof");
        let mut console = directory.console();
        assert_eq!(
            console.run("SET a 1; DEBUG LOADAOF; GET a"),
            "OK; (error) ERR Error trying to load the AOF files, check server logs.; nil"
        );
        let dir = directory.0.join("appendonlydir");
        std::fs::create_dir_all(&dir).expect("it can be made");
        let write = |name: &str, text: &str| {
            std::fs::write(dir.join(name), text).expect("it can be written");
        };
        write(
            "appendonly.aof.manifest",
            "file appendonly.aof.1.incr.aof seq 1 type i\n",
        );
        write(
            "appendonly.aof.1.incr.aof",
            "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n\
             *1\r\n$4\r\nEXEC\r\n*5\r\n$3\r\nSET\r\n$1\r\ne\r\n$1\r\n1\r\n$4\r\nPXAT\r\n$1\r\n5\r\n",
        );
        console.shared.engine.store.log.start();
        let position = console.shared.engine.store.log.position();
        assert_eq!(
            console.run("SET a 1; DEBUG LOADAOF; GET b; EXISTS a"),
            "OK; OK; 4; 0"
        );
        // Of all that only the SET before is logged.
        assert_eq!(console.shared.engine.store.log.position(), position + 1);
    }
}
