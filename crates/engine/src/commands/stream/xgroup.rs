//! XGROUP CREATE | SETID | DESTROY | CREATECONSUMER | DELCONSUMER | HELP: groups of consumers. <https://redis.io/commands/xgroup>

use dunlin_store::stream::{self, Id, Stream};
use dunlin_store::{Event, Found};

use super::{WRITE, change, change_quietly, discard, find_group, id, integer, no_group_of, now_ms};
use super::{tell_quietly, view};
use crate::command::{ArgKind, Argument, Categories, Command, Flags, Handler, KeySpec};
use crate::commands::server::help;
use crate::{Ctx, Flow, Outcome, ReplyError};

/// XGROUP.
pub(super) const XGROUP: Command = Command {
    name: "xgroup",
    full_name: "xgroup",
    arity: -2,
    categories: Categories::SLOW,
    group: "stream",
    since: "5.0.0",
    complexity: "Depends on the subcommand",
    summary: "Manages the groups of a stream.",
    subcommands: &[
        &CREATE,
        &CREATECONSUMER,
        &DELCONSUMER,
        &DESTROY,
        &HELP,
        &SETID,
    ],
    ..Command::BASE
};

const GROUP: Argument = Argument::new("group", ArgKind::String);
const CONSUMER: Argument = Argument::new("consumer", ArgKind::String);
const ID: Argument = Argument::one_of(
    "id-selector",
    &[
        Argument::new("id", ArgKind::String),
        Argument::token("new-id", "$"),
    ],
);

const CREATE: Command = Command {
    arity: -5,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: INSERTED,
    summary: "Makes a group that is given the entries behind an id.",
    history: &[("7.0.0", "Takes ENTRIESREAD.")],
    arguments: &[
        Argument::KEY,
        GROUP,
        ID,
        Argument::token("mkstream", "MKSTREAM").optional(),
        Argument::new("entries-read", ArgKind::Integer)
            .with_token("ENTRIESREAD")
            .optional(),
    ],
    ..subcommand("create", "xgroup|create", create)
};

const CREATECONSUMER: Command = Command {
    arity: 5,
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: INSERTED,
    since: "6.2.0",
    summary: "Makes a consumer of a group; returns whether there was none of this name.",
    arguments: &[Argument::KEY, GROUP, CONSUMER],
    ..subcommand("createconsumer", "xgroup|createconsumer", createconsumer)
};

const DELCONSUMER: Command = Command {
    arity: 5,
    keys: DELETED,
    complexity: "O(N log M) in the number of entries pending with it, of M in all",
    summary: "Removes a consumer of a group; returns how many entries were pending with it.",
    arguments: &[Argument::KEY, GROUP, CONSUMER],
    ..subcommand("delconsumer", "xgroup|delconsumer", delconsumer)
};

const DESTROY: Command = Command {
    arity: 4,
    keys: DELETED,
    complexity: "O(1); what was pending is freed in the background",
    summary: "Removes a group.",
    arguments: &[Argument::KEY, GROUP],
    ..subcommand("destroy", "xgroup|destroy", destroy)
};

const SETID: Command = Command {
    arity: -5,
    summary: "Sets the id behind which entries are new to a group.",
    history: &[("7.0.0", "Takes ENTRIESREAD.")],
    arguments: &[
        Argument::KEY,
        GROUP,
        ID,
        Argument::new("entriesread", ArgKind::Integer)
            .with_token("ENTRIESREAD")
            .optional(),
    ],
    ..subcommand("setid", "xgroup|setid", setid)
};

const HELP: Command = Command {
    name: "help",
    full_name: "xgroup|help",
    categories: Categories::STREAM.and(Categories::SLOW),
    group: "stream",
    ..help::HELP
};

const INSERTED: &[KeySpec] = &[KeySpec::one(2, &["RW", "insert"])];
const UPDATED: &[KeySpec] = &[KeySpec::one(2, &["RW", "update"])];
const DELETED: &[KeySpec] = &[KeySpec::one(2, &["RW", "delete"])];

const fn subcommand(name: &'static str, full_name: &'static str, handler: Handler) -> Command {
    Command {
        name,
        full_name,
        keys: UPDATED,
        handler,
        ..WRITE
    }
}

/// MKSTREAM and ENTRIESREAD.
struct Options {
    mkstream: bool,
    entries_read: Option<i64>,
}

fn options(cx: &Ctx<'_>, takes_mkstream: bool) -> Result<Options, ReplyError> {
    let (mut mkstream, mut entries_read) = (false, -1);
    let mut i = 5;
    while i < cx.args.len() {
        if takes_mkstream && cx.args.is(i, "mkstream") {
            mkstream = true;
        } else if cx.args.is(i, "entriesread") && i + 1 < cx.args.len() {
            i += 1;
            entries_read = integer(cx.args.at(i))?;
            if entries_read < -1 {
                return Err(ReplyError::err(
                    "value for ENTRIESREAD must be positive or -1",
                ));
            }
        } else {
            return Err(ReplyError::subcommand_syntax(cx.args));
        }
        i += 1;
    }
    Ok(Options {
        mkstream,
        entries_read: Some(entries_read).filter(|read| *read >= 0),
    })
}

fn no_key() -> ReplyError {
    ReplyError::err(
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
         create an empty stream automatically.",
    )
}

/// The key's stream and its group, which must exist.
fn existing(cx: &mut Ctx<'_>) -> Result<Found, ReplyError> {
    let (key, group) = (cx.args.at(2), cx.args.at(3));
    match find_group(cx, 2, group, |_, _| ())? {
        Some((found, ())) => Ok(found),
        None if cx.find(2).is_none() => Err(no_key()),
        None => Err(no_group_of(key, group)),
    }
}

fn create(cx: &mut Ctx<'_>) -> Outcome {
    let options = options(cx, true)?;
    let (db, key, group, id_text) = (cx.db(), cx.key(2), cx.args.at(3), cx.args.at(4));
    let found = cx.keys.find(db, &key);
    let last_id = match found {
        Some(found) => view(&cx.keys.entry(found))?.last_id(),
        None if options.mkstream => Id::MIN,
        None => return Err(no_key()),
    };
    if cx.args.len() > 8 {
        return Err(ReplyError::subcommand_syntax(cx.args));
    }
    let id = match id_text {
        b"$" => last_id,
        text => id::strict(text)?,
    };
    match found {
        Some(found) => {
            let is_new = view(&cx.keys.entry(found))?.group(group).is_none();
            if !is_new {
                let text = "BUSYGROUP Consumer Group name already exists";
                return Err(ReplyError::Text(text.into()));
            }
            change_quietly(&mut cx.keys, found, |stream| {
                stream.add_group(group, id, options.entries_read)
            });
            tell_quietly(cx, key.bytes, "xgroup-create");
        }
        None => {
            let mut stream = Box::new(Stream::new());
            stream.add_group(group, id, options.entries_read);
            let clock = cx.keys.local().clock;
            let entry = stream::entry(key.bytes, stream, clock);
            cx.keys.put_entry(db, &key, entry, None);
            cx.record_verbatim(key.bytes, Event::stream("xgroup-create"));
        }
    }
    cx.reply.ok();
    Ok(Flow::Done)
}

fn setid(cx: &mut Ctx<'_>) -> Outcome {
    let options = options(cx, false)?;
    let found = existing(cx)?;
    if !matches!(cx.args.len(), 5 | 7) {
        return Err(ReplyError::subcommand_syntax(cx.args));
    }
    let (group, text) = (cx.args.at(3), cx.args.at(4));
    let id = match text {
        b"$" => view(&cx.keys.entry(found))?.last_id(),
        text => id::loose(text, 0)?,
    };
    change_quietly(&mut cx.keys, found, |stream| {
        let group = stream.group_mut(group).expect("just found");
        (group.last_id, group.entries_read) = (id, options.entries_read);
    });
    tell_quietly(cx, cx.args.at(2), "xgroup-setid");
    cx.reply.ok();
    Ok(Flow::Done)
}

fn destroy(cx: &mut Ctx<'_>) -> Outcome {
    let (key, group) = (cx.args.at(2), cx.args.at(3));
    let found = match existing(cx) {
        Ok(found) => found,
        Err(ReplyError::Text(text)) if text.starts_with("NOGROUP") => {
            cx.reply.integer(0);
            return Ok(Flow::Done);
        }
        Err(error) => return Err(error),
    };
    let remains = change(&mut cx.keys, found, |stream| {
        (stream.remove_group(group), false)
    });
    discard(cx, remains);
    tell_quietly(cx, key, "xgroup-destroy");
    let (db, key) = (cx.db(), cx.key(2));
    cx.keys.offer_quietly(db, &key);
    cx.reply.integer(1);
    Ok(Flow::Done)
}

fn createconsumer(cx: &mut Ctx<'_>) -> Outcome {
    let found = existing(cx)?;
    let (group, name, now) = (cx.args.at(3), cx.args.at(4), now_ms(cx));
    let is_new = change_quietly(&mut cx.keys, found, |stream| {
        let group = stream.group_mut(group).expect("just found");
        group.add_consumer(name, now).is_some()
    });
    if is_new {
        tell_quietly(cx, cx.args.at(2), "xgroup-createconsumer");
    }
    cx.reply.integer(i64::from(is_new));
    Ok(Flow::Done)
}

fn delconsumer(cx: &mut Ctx<'_>) -> Outcome {
    let found = existing(cx)?;
    let (group, name) = (cx.args.at(3), cx.args.at(4));
    let pending = {
        let entry = cx.keys.entry(found);
        let group = view(&entry)?.group(group).expect("just found");
        let consumer = group.find_consumer(name);
        consumer.map(|number| group.consumer(number).pending_len())
    };
    let Some(pending) = pending else {
        cx.reply.integer(0);
        return Ok(Flow::Done);
    };
    if cx.is_heavy(pending) {
        return Ok(Flow::Heavy);
    }
    change_quietly(&mut cx.keys, found, |stream| {
        let group = stream.group_mut(group).expect("just found");
        group.remove_consumer(name)
    });
    tell_quietly(cx, cx.args.at(2), "xgroup-delconsumer");
    cx.reply.count(pending);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn groups_come_and_go() {
        check(
            "XGROUP CREATE s g $; XGROUP CREATE s g $ MKSTREAM; XLEN s; XGROUP CREATE s g 0 MKSTREAM; XADD s 5 a 1; XGROUP CREATE s h $ ENTRIESREAD 1; \
             XINFO GROUPS s; XGROUP DESTROY s g; XGROUP DESTROY s g; XGROUP SETID s h 0-1 ENTRIESREAD 3; XGROUP SETID s h - ; XINFO GROUPS s",
            "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
             create an empty stream automatically.; OK; 0; (error) BUSYGROUP Consumer Group name already exists; 5-0; OK; \
             [[name g consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 1] \
             [name h consumers 0 pending 0 last-delivered-id 5-0 entries-read 1 lag 0]]; 1; 0; OK; OK; \
             [[name h consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 1]]",
        );
    }

    #[test]
    fn consumers_come_and_go() {
        check(
            "XADD s 1 a 1; XADD s 2 a 2; XGROUP CREATE s g 0; XGROUP CREATECONSUMER s g c; XGROUP CREATECONSUMER s g c; \
             XREADGROUP GROUP g c COUNT 1 STREAMS s >; XREADGROUP GROUP g b STREAMS s >; XGROUP DELCONSUMER s g c; XGROUP DELCONSUMER s g c; \
             XPENDING s g; XGROUP CREATECONSUMER s g a; XINFO CONSUMERS s g",
            "1-0; 2-0; OK; 1; 0; [[s [[1-0 [a 1]]]]]; [[s [[2-0 [a 2]]]]]; 1; 0; [1 2-0 2-0 [[b 1]]]; 1; \
             [[name a pending 0 idle 0 inactive -1] [name b pending 1 idle 0 inactive 0]]",
        );
    }

    #[test]
    fn refuses_what_it_must() {
        let no_key = "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
             option to create an empty stream automatically.";
        check(
            "XGROUP DESTROY none g; XGROUP SETID none g 0; XGROUP CREATECONSUMER none g c; XGROUP DELCONSUMER none g c",
            &format!("{no_key}; {no_key}; {no_key}; {no_key}"),
        );
        check(
            "XADD s 1 a 1; XGROUP SETID s g 0; XGROUP CREATECONSUMER s g c; XGROUP DELCONSUMER s g c; XGROUP CREATE s g x; XGROUP CREATE s g -; \
             XGROUP CREATE s g 0 FOO; XGROUP CREATE s g 0 ENTRIESREAD -2; XGROUP CREATE s g 0 ENTRIESREAD x; XGROUP CREATE s g 0 ENTRIESREAD; \
             XGROUP CREATE s g; XGROUP HELP me; XGROUP NOSUCH s; SET k v; XGROUP CREATE k g 0; XGROUP DESTROY k g",
            "1-0; (error) NOGROUP No such consumer group 'g' for key name 's'; (error) NOGROUP No such consumer group 'g' for key name 's'; \
             (error) NOGROUP No such consumer group 'g' for key name 's'; (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR Invalid stream ID specified as stream command argument; \
             (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.; \
             (error) ERR value for ENTRIESREAD must be positive or -1; (error) ERR value is not an integer or out of range; \
             (error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.; \
             (error) ERR wrong number of arguments for 'xgroup|create' command; (error) ERR wrong number of arguments for 'xgroup|help' command; \
             (error) ERR unknown subcommand 'NOSUCH'. Try XGROUP HELP.; OK; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
             (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        );
    }
}
