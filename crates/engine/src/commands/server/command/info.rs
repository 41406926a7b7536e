//! COMMAND and COMMAND INFO: what clients and proxies need to know to route a command.

use super::lookup;
use crate::command::{Begin, Categories, Command, Find, Flags, KeySpec};
use crate::reply::Reply;
use crate::{Ctx, Flow, Outcome};

/// COMMAND without arguments.
pub(super) fn all(cx: &mut Ctx<'_>) -> Outcome {
    let table = &cx.engine.table;
    cx.reply.array(table.iter().count());
    for (_, command) in table.iter() {
        write(&mut cx.reply, command);
    }
    Ok(Flow::Done)
}

/// COMMAND INFO.
pub(super) fn info(cx: &mut Ctx<'_>) -> Outcome {
    if cx.args.len() == 2 {
        return all(cx);
    }
    let names = cx.args.from(2);
    cx.reply.array(names.len());
    for name in names {
        match lookup(&cx.engine.table, name) {
            Some(command) => write(&mut cx.reply, command),
            None => cx.reply.null(),
        }
    }
    Ok(Flow::Done)
}

/// The ten elements that describe a command.
fn write(reply: &mut Reply<'_>, command: &Command) {
    let (first, last, step) = legacy_range(command.keys);
    reply.array(10);
    reply.bulk(command.full_name.as_bytes());
    reply.integer(i64::from(command.arity));
    let flags = Flags::NAMES
        .iter()
        .filter(|(flag, name)| command.flags.has(*flag) && !name.is_empty());
    reply.set(flags.clone().count());
    flags.for_each(|(_, name)| reply.simple(name));
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories = Categories::NAMES
        .iter()
        .filter(|(category, _)| command.categories.has(*category));
    reply.set(categories.clone().count());
    categories.for_each(|(_, name)| reply.simple(&format!("@{name}")));
    reply.set(command.tips.len());
    command
        .tips
        .iter()
        .for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(command.keys.len());
    command
        .keys
        .iter()
        .for_each(|spec| write_key_spec(reply, spec));
    let subcommands = command.shown_subcommands();
    match subcommands.clone().count() {
        0 => reply.set(0),
        count => reply.array(count),
    }
    subcommands.for_each(|sub| write(reply, sub));
}

/// First key, last key and step as clients from before key specs understand them: the one range, or all ranges of step 1
/// that follow each other; zeros without such.
fn legacy_range(specs: &[KeySpec]) -> (i64, i64, i64) {
    let range = |spec: &KeySpec| match (spec.begin, spec.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => {
            let first = first as i64;
            let last = i64::from(last);
            Some((
                first,
                if last >= 0 { first + last } else { last },
                step as i64,
            ))
        }
        (Begin::Index(first), Find::OneUnlessEmpty) => Some((first as i64, first as i64, 1)),
        _ => None,
    };
    if let [spec] = specs {
        return range(spec).unwrap_or_default();
    }
    let mut whole: Option<(i64, i64)> = None;
    for (first, last, step) in specs.iter().filter_map(range) {
        if step != 1 || whole.is_some_and(|(_, before)| before != first - 1) {
            continue;
        }
        // Counted from the end means further than any index from the start.
        let later = |a: i64, b: i64| if a < 0 || b < 0 { a.min(b) } else { a.max(b) };
        whole = Some(whole.map_or((first, last), |(from, to)| {
            (from.min(first), later(to, last))
        }));
    }
    whole.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

fn write_key_spec(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(spec.flags.len());
    spec.flags.iter().for_each(|flag| reply.simple(flag));
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => write_search(reply, "index", &[("index", index as i64)], None),
        Begin::Keyword(word, from) | Begin::Options { word, from, .. } => {
            write_search(
                reply,
                "keyword",
                &[("startfrom", i64::from(from))],
                Some(word),
            );
        }
        Begin::Unknown => write_search(reply, "unknown", &[], None),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            let fields = [
                ("lastkey", i64::from(last)),
                ("keystep", step as i64),
                ("limit", limit as i64),
            ];
            write_search(reply, "range", &fields, None);
        }
        Find::Count { count, first, step } => {
            let fields = [
                ("keynumidx", count as i64),
                ("firstkey", first as i64),
                ("keystep", step as i64),
            ];
            write_search(reply, "keynum", &fields, None);
        }
        Find::OneUnlessEmpty => {
            let fields = [("lastkey", 0), ("keystep", 1), ("limit", 0)];
            write_search(reply, "range", &fields, None);
        }
        // Redis takes the key behind the first such word, and says so.
        Find::Option { .. } if matches!(spec.begin, Begin::Keyword(..)) => {
            let fields = [("lastkey", 0), ("keystep", 1), ("limit", 0)];
            write_search(reply, "range", &fields, None);
        }
        Find::Option { .. } | Find::Values => write_search(reply, "unknown", &[], None),
    }
}

fn write_search(reply: &mut Reply<'_>, kind: &str, fields: &[(&str, i64)], keyword: Option<&str>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len() + usize::from(keyword.is_some()));
    if let Some(word) = keyword {
        reply.bulk(b"keyword");
        reply.bulk(word.as_bytes());
    }
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::legacy_range;
    use crate::command::{Begin, Find, KeySpec};
    use crate::testing::{Console, check, resp3};

    #[test]
    fn one_command_as_redis_describes_it() {
        check(
            "COMMAND INFO del",
            "[[del -2 [write] 1 -1 1 [@keyspace @write @slow] [request_policy:multi_shard response_policy:agg_sum] \
             [[flags [RM delete] begin_search [type index spec [index 1]] \
             find_keys [type range spec [lastkey -1 keystep 1 limit 0]]]] []]]",
        );
        check(
            "COMMAND INFO nosuch get|key object|encoding|x object|encoding",
            "[nil nil nil [object|encoding 3 [readonly] 2 2 1 [@keyspace @read @slow] [nondeterministic_output] \
             [[flags [RO] begin_search [type index spec [index 2]] \
             find_keys [type range spec [lastkey 0 keystep 1 limit 0]]]] []]]",
        );
    }

    #[test]
    fn sets_and_maps_in_the_newer_protocol() {
        let mut console = Console::default();
        resp3(&mut console);
        let reply = console.call(1, &[b"COMMAND", b"INFO", b"get"]);
        let text = String::from_utf8(reply).expect("text");
        assert!(text.starts_with("*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n"), "{text}");
        assert!(text.contains("%3\r\n$5\r\nflags\r\n~2\r\n"), "{text}");
    }

    #[test]
    fn all_commands_are_described() {
        let mut console = Console::default();
        let all = console.run("COMMAND");
        assert_eq!(all, console.run("COMMAND INFO"));
        let commands = console.engine.table.iter().count();
        assert_eq!(console.run("COMMAND COUNT"), commands.to_string());
        assert!(
            console
                .call(1, &[b"COMMAND"])
                .starts_with(format!("*{commands}\r\n*10\r\n").as_bytes())
        );
    }

    #[test]
    fn ranges_of_old() {
        let one = |index| KeySpec::one(index, &[]);
        assert_eq!(legacy_range(&[]), (0, 0, 0));
        assert_eq!(legacy_range(&[KeySpec::rest(1, 2, &[])]), (1, -1, 2));
        assert_eq!(legacy_range(&[one(1), one(2)]), (1, 2, 1));
        assert_eq!(legacy_range(&[one(1), one(3)]), (1, 1, 1));
        assert_eq!(
            legacy_range(&[one(2), KeySpec::rest(3, 1, &[])]),
            (2, -1, 1)
        );
        let counted = KeySpec {
            find: Find::Count {
                count: 0,
                first: 1,
                step: 1,
            },
            ..one(2)
        };
        assert_eq!(legacy_range(&[one(1), counted]), (1, 1, 1));
        let keyword = KeySpec {
            begin: Begin::Keyword("STORE", 2),
            ..one(0)
        };
        assert_eq!(legacy_range(&[keyword]), (0, 0, 0));
    }
}
