//! DEBUG LISTPACK, QUICKLIST, HTSTATS and HTSTATS-KEY: figures of the structures behind keys and values.
//!
//! Replies are for people: Redis prints the insides of two of these on its standard output.

use std::borrow::Cow;
use std::fmt::Write;

use dunlin_engine::command::{ArgKind, Argument, KeySpec, Scope};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};

use super::{FAMILY, permit};

const KEYS: &[KeySpec] = &[KeySpec::one(2, &["RO"])];

/// DEBUG LISTPACK.
pub(super) const LISTPACK: Command = Command {
    keys: KEYS,
    scope: Scope::Keys,
    summary: "Shows the size of a value whose encoding is `listpack`.",
    arguments: &[Argument::KEY],
    ..FAMILY.subcommand("listpack", "debug", listpack)
};

/// DEBUG QUICKLIST.
pub(super) const QUICKLIST: Command = Command {
    keys: KEYS,
    scope: Scope::Keys,
    complexity: "O(N) in the leaves of the list",
    summary: "Shows the size and the leaves of a list whose encoding is `quicklist`.",
    arguments: &[
        Argument::KEY,
        Argument::new("detail", ArgKind::Integer).optional(),
    ],
    ..FAMILY.subcommand("quicklist", "debug", quicklist)
};

/// DEBUG HTSTATS.
pub(super) const HTSTATS: Command = Command {
    scope: Scope::All,
    summary: "Shows the size of a database's dict and of its deadlines.",
    arguments: &[
        Argument::new("dbid", ArgKind::Integer),
        Argument::token("full", "FULL").optional(),
    ],
    ..FAMILY.subcommand("htstats", "debug", htstats)
};

/// DEBUG HTSTATS-KEY.
pub(super) const HTSTATS_KEY: Command = Command {
    keys: KEYS,
    scope: Scope::Keys,
    summary: "Shows the hash table of a value; none has one here, big values are trees.",
    arguments: &[Argument::KEY, Argument::token("full", "FULL").optional()],
    ..FAMILY.subcommand("htstats-key", "debug", htstats_key)
};

fn err(text: &'static str) -> ReplyError {
    ReplyError::Text(Cow::Borrowed(text))
}

fn listpack(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let (db, key) = (cx.db(), cx.key(2));
    let entry = cx.keys.peek(db, &key).ok_or(ReplyError::NoSuchKey)?;
    let bytes = entry
        .packed_bytes()
        .filter(|_| entry.kind().encoding_name() == "listpack")
        .map(<[u8]>::len)
        .ok_or(err("ERR Not a listpack encoded object."))?;
    let line = format!("bytes:{bytes}");
    cx.reply.simple(&line);
    Ok(Flow::Done)
}

fn quicklist(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=2)?;
    let (db, key) = (cx.db(), cx.key(2));
    let entry = cx.keys.peek(db, &key).ok_or(ReplyError::NoSuchKey)?;
    let list = entry
        .big()
        .filter(|_| entry.kind().encoding_name() == "quicklist")
        .ok_or(err("ERR Not a quicklist encoded object."))?;
    let line = format!(
        "elements:{} leaves:{} bytes:{}",
        list.len(),
        list.leaf_count(),
        list.memory_bytes()
    );
    cx.reply.simple(&line);
    Ok(Flow::Done)
}

fn htstats(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=2)?;
    let number = dunlin_engine::number::parse_i64(cx.args.at(2)).ok_or(ReplyError::NotInteger)?;
    let db = u32::try_from(number)
        .ok()
        .filter(|db| (*db as usize) < cx.engine.store.databases())
        .ok_or(err("ERR Out of range database"))?;
    let figures = cx.keys.dict_figures(db);
    let mut text = String::from("[Dictionary HT]\n");
    if figures.elements == 0 {
        text.push_str("No stats available for empty dictionaries\n");
    } else {
        let _ = writeln!(
            text,
            " number of elements: {}\n stripes with elements: {}\n bytes beside the elements: {}",
            figures.elements, figures.stripes, figures.bytes
        );
    }
    text.push_str("[Expires HT]\n");
    match figures.deadlines {
        0 => text.push_str("No stats available for empty dictionaries\n"),
        deadlines => {
            let _ = writeln!(text, " number of elements: {deadlines}");
        }
    }
    cx.reply.verbatim(text.as_bytes());
    Ok(Flow::Done)
}

fn htstats_key(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=2)?;
    let (db, key) = (cx.db(), cx.key(2));
    cx.keys.peek(db, &key).ok_or(ReplyError::NoSuchKey)?;
    Err(err(
        "ERR The value stored at the specified key is not represented using an hash table",
    ))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn of_lists() {
        let mut console = Console::with_debug();
        console.run(
            "RPUSH l a b c; SADD s 1 2; CONFIG SET list-max-listpack-size 4; RPUSH big 1 2 3 4 5 6",
        );
        assert_eq!(
            console.run("DEBUG LISTPACK l; DEBUG LISTPACK s; DEBUG LISTPACK big; DEBUG LISTPACK nosuch; DEBUG QUICKLIST l"),
            "bytes:11; (error) ERR Not a listpack encoded object.; (error) ERR Not a listpack encoded object.; \
             (error) ERR no such key; (error) ERR Not a quicklist encoded object."
        );
        let line = console.run("DEBUG QUICKLIST big 1");
        assert!(line.starts_with("elements:6 leaves:1 bytes:"), "{line}");
    }

    #[test]
    fn of_databases() {
        let mut console = Console::with_debug();
        let none = "No stats available for empty dictionaries\\n";
        let empty = format!("[Dictionary HT]\\n{none}[Expires HT]\\n{none}");
        assert_eq!(console.run("DEBUG HTSTATS 9"), empty);
        console.run("SET a 1; SET b 1 PX 1000");
        let text = console.run("DEBUG HTSTATS 0 full");
        assert!(
            text.contains(" number of elements: 2\\n")
                && text.contains("[Expires HT]\\n number of elements: 1\\n"),
            "{text}"
        );
        assert_eq!(
            console.run("DEBUG HTSTATS 16; DEBUG HTSTATS -1; DEBUG HTSTATS x; DEBUG HTSTATS-KEY a; DEBUG HTSTATS-KEY nosuch"),
            "(error) ERR Out of range database; (error) ERR Out of range database; \
             (error) ERR value is not an integer or out of range; \
             (error) ERR The value stored at the specified key is not represented using an hash table; \
             (error) ERR no such key"
        );
    }
}
