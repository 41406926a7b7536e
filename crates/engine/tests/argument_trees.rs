//! The argument trees of the table are true: what they allow is accepted.
//!
//! COMMAND DOCS shows them, redis-cli hints by them, HELP is written from them; so a wrong one misleads.

mod common;

use std::sync::Arc;

use common::commands::{Request, request};
use common::rng::Rng;
use common::world::{START_MS, World, engine};
use dunlin_engine::command::{ArgKind, Argument, Command, Find, KeySpec};

/// Requests tried for each command.
const TRIES: usize = 200;

#[test]
fn what_a_tree_allows_is_no_syntax_error() {
    let mut rng = Rng::new(1);
    let mut world = World::new(Arc::new(engine(256, 1, 1)), 1, 1);
    for (_, command) in Arc::clone(&world.engine).table.iter_all() {
        if !command.subcommands.is_empty() && command.full_name != "command" {
            continue;
        }
        // Without arguments every request is the same.
        let tries = if command.arguments.is_empty() {
            1
        } else {
            TRIES
        };
        for _ in 0..tries {
            let request = request(&mut rng, command, START_MS);
            if command.full_name == "restore" && has_both(&request, [b"IDLETIME", b"FREQ"]) {
                // Redis's tree allows both and its handler does not, so it is with ours.
                continue;
            }
            assert!(
                command.accepts(request.len()),
                "{} {}",
                command.full_name,
                request.len()
            );
            world.start(0, &request);
            world.settle();
            let reply = world.reply(0);
            let reply = String::from_utf8_lossy(&reply);
            let refused = [
                "-ERR syntax error",
                "-ERR wrong number",
                "-ERR unknown",
                "-ERR Unknown",
                "-ERR Unsupported",
            ];
            let words: Vec<_> = request
                .iter()
                .map(|word| word.escape_ascii().to_string())
                .collect();
            assert!(
                !refused.iter().any(|text| reply.starts_with(text)),
                "{}: {reply}",
                words.join(" ")
            );
        }
    }
}

fn has_both(request: &Request, words: [&[u8]; 2]) -> bool {
    words
        .iter()
        .all(|word| request.iter().any(|arg| arg == word))
}

/// A tree's keys are those of the key specs.
#[test]
fn keys_of_trees_have_their_specs() {
    for (_, command) in engine(1, 1, 1).table.iter_all() {
        let mut specs = Vec::new();
        command
            .arguments
            .iter()
            .for_each(|argument| collect(argument, &mut specs));
        specs.sort_unstable();
        specs.dedup();
        // What values name is no argument, and shard channels are no keys.
        let is_argument = |spec: &usize| {
            let spec = command.keys[*spec];
            spec.find != Find::Values && spec.is_of_keys()
        };
        let expected: Vec<usize> = (0..command.keys.len()).filter(is_argument).collect();
        assert_eq!(specs, expected, "{}", command.full_name);
    }
}

fn collect(argument: &Argument, specs: &mut Vec<usize>) {
    if let ArgKind::Key(spec) = argument.kind {
        specs.push(spec);
    }
    argument
        .inner
        .iter()
        .for_each(|inner| collect(inner, specs));
}

/// What holds of every row of the table.
#[test]
fn rows_are_consistent() {
    use dunlin_engine::Flags;
    use dunlin_engine::command::{Categories, Scope};
    for (_, command) in engine(1, 1, 1).table.iter_all() {
        let Command {
            full_name,
            flags,
            categories,
            ..
        } = *command;
        let both = |flag: Flags, category: Categories| flags.has(flag) == categories.has(category);
        assert!(
            categories.has(Categories::FAST) == flags.has(Flags::FAST),
            "{full_name}: fast"
        );
        assert!(
            categories.has(Categories::SLOW) != flags.has(Flags::FAST),
            "{full_name}: slow"
        );
        assert!(both(Flags::WRITE, Categories::WRITE), "{full_name}: write");
        assert!(both(Flags::READONLY, Categories::READ), "{full_name}: read");
        assert!(
            !flags.has(Flags::ADMIN) || categories.has(Categories::ADMIN),
            "{full_name}: admin"
        );
        assert!(
            !command.keys.iter().any(KeySpec::is_of_keys)
                || matches!(command.scope, Scope::Keys | Scope::Patterns | Scope::Script),
            "{full_name} locks its keys"
        );
        assert!(
            command.scope != Scope::Keys || !command.keys.is_empty(),
            "{full_name} has keys to lock"
        );
        for subcommand in command.subcommands {
            assert_eq!(
                subcommand.full_name,
                format!("{}|{}", command.name, subcommand.name)
            );
        }
    }
}

/// Families are sorted, so that a row is found where it is looked for.
#[test]
fn families_are_sorted() {
    for family in dunlin_engine::commands::FAMILIES {
        let names: Vec<&str> = family.iter().map(|command| command.name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
