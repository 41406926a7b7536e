//! The client's typed commands are what the command table says. `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands` writes
//! them.
//!
//! Invariant: the output depends on the table alone, and is as rustfmt would have it or kept from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use dunlin_engine::command::{ArgKind, Argument, Begin, Command, Find, Flags};
use dunlin_engine::commands::server::help::syntax;

const FOLDER: &str = "../client/src/commands/generated";
/// From here on a file says why it is so long.
const LINES_MAX: usize = 800;

/// Words of Rust that are names of commands or arguments.
const RESERVED: [&str; 8] = [
    "move", "type", "where", "match", "in", "ref", "final", "self",
];

fn families() -> Vec<&'static Command> {
    let all = dunlin_engine::commands::FAMILIES.iter();
    let all = all.chain(dunlin_server::commands::FAMILIES);
    let mut all: Vec<&Command> = all.flat_map(|family| family.iter().copied()).collect();
    all.sort_by_key(|command| command.name);
    all
}

/// A command under its whole name, `config|get`.
struct Named {
    name: String,
    command: &'static Command,
}

/// Every command that can be called: subcommands beside or instead of their containers.
fn callable() -> Vec<Named> {
    let mut out = Vec::new();
    for container in families() {
        let name = container.name;
        let alone = container.subcommands.is_empty() || container.arity == -1;
        if alone {
            let (name, command) = (name.to_owned(), container);
            out.push(Named { name, command });
        }
        for command in container.subcommands.iter().filter(|s| s.name != "help") {
            let name = format!("{name}|{}", command.name);
            out.push(Named { name, command });
        }
    }
    out
}

fn identifier(name: &str) -> String {
    let name = name.replace(['-', '|', ':', ' '], "_").to_ascii_lowercase();
    if RESERVED.contains(&name.as_str()) {
        name + "_"
    } else {
        name
    }
}

/// What a method says for one command.
#[derive(Default)]
struct Method {
    parameters: Vec<String>,
    body: String,
    /// The arguments from the first one on that is not a plain parameter.
    rest: Option<String>,
}

impl Method {
    fn of(named: &Named) -> Method {
        let command = named.command;
        let mut method = Method::default();
        let mut words = named.name.split('|').map(str::to_ascii_uppercase);
        let name = words.next().expect("a command has a name");
        let _ = write!(method.body, "Command::new(\"{name}\")");
        for word in words {
            let _ = write!(method.body, ".arg(\"{word}\")");
        }
        let arguments = command.arguments;
        let mut at = 0;
        while at < arguments.len() {
            let taken = method.take(&arguments[at..]);
            if taken == 0 {
                let rest = &arguments[at..];
                if rest.iter().any(|argument| !argument.optional) {
                    method.parameter("rest");
                    method.body.push_str(".arg(rest)");
                    method.rest = Some(syntax(rest).trim().to_owned());
                }
                break;
            }
            at += taken;
        }
        method
    }

    /// Makes parameters of the first arguments; returns of how many, 0 if the first one is not plain.
    fn take(&mut self, arguments: &[Argument]) -> usize {
        let argument = &arguments[0];
        if argument.optional || argument.multiple_token {
            return 0;
        }
        if let (true, Some(keys)) = (argument.name == "numkeys", arguments.get(1))
            && keys.multiple
            && !keys.optional
        {
            let name = self.parameter("keys");
            let _ = write!(self.body, ".counted({name})");
            return 2;
        }
        if !argument.token.is_empty() {
            let _ = write!(self.body, ".arg(\"{}\")", argument.token);
        }
        match argument.kind {
            ArgKind::Token => return 1,
            ArgKind::Block if !argument.multiple => {
                let plain = |inner: &Argument| {
                    !inner.optional && !inner.multiple && inner.kind != ArgKind::Block
                };
                if argument.inner.iter().all(plain) {
                    for inner in argument.inner {
                        self.take(std::slice::from_ref(inner));
                    }
                    return 1;
                }
                let name = self.parameter(argument.name);
                let _ = write!(self.body, ".arg({name})");
            }
            _ => {
                let name = self.parameter(argument.name);
                let _ = write!(self.body, ".arg({name})");
            }
        }
        1
    }

    fn parameter(&mut self, name: &str) -> String {
        let wanted = identifier(name);
        let mut name = wanted.clone();
        let mut number = 2;
        while self.parameters.contains(&name) {
            name = format!("{wanted}{number}");
            number += 1;
        }
        self.parameters.push(name.clone());
        name
    }

    fn write(&self, named: &Named, out: &mut String) {
        let command = named.command;
        let summary = command.summary;
        let full = named.name.replace('|', " ").to_ascii_uppercase();
        let syntax = syntax(command.arguments);
        let _ = write!(
            out,
            "    /// {summary}\n    ///\n    /// `{full}{syntax}`\n    ///\n    /// {}. Since {}.\n",
            escaped(command.complexity.trim_end_matches('.')),
            command.since
        );
        if let Some(rest) = &self.rest {
            let _ = writeln!(out, "    /// `rest` is what stands from here on: `{rest}`.");
        }
        if let Some((version, instead)) = command.deprecated {
            let instead = escaped(instead);
            let _ = writeln!(out, "    /// Deprecated since {version}: {instead}");
        }
        if command.flags.has(Flags::BLOCKING) {
            out.push_str("    ///\n    /// It may wait: for a connection of one's own.\n");
        }
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|name| format!(", {name}: impl ToArg"))
            .collect();
        let _ = write!(
            out,
            "    fn {}(self{}) -> Self::Out {{\n        self.put({})\n    }}\n",
            identifier(&named.name),
            parameters.concat(),
            self.body
        );
    }
}

/// As a doc comment takes it.
fn escaped(text: &str) -> String {
    text.replace('[', "\\[").replace('<', "\\<")
}

fn camel_case(group: &str) -> String {
    let words = group.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().concat()
}

fn group_file(group: &str, commands: &[Named]) -> String {
    let methods: Vec<Method> = commands.iter().map(Method::of).collect();
    let has_parameters = methods.iter().any(|method| !method.parameters.is_empty());
    let imports = if has_parameters {
        "{Command, ToArg}"
    } else {
        "Command"
    };
    let mut out = format!(
        "//! The commands of the group `{group}`.\n//!\n//! Invariant: made from the server's command table by \
         `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be\n//! edited.\n\n\
         use super::super::Commands;\nuse crate::{imports};\n\n\
         /// The commands of the group `{group}`, for everything that takes commands.\n\
         #[allow(clippy::too_many_arguments, reason = \"as many as the command has\")]\n\
         pub trait {}Commands: Commands {{\n",
        camel_case(group)
    );
    for (n, (method, named)) in methods.iter().zip(commands).enumerate() {
        if n > 0 {
            out.push('\n');
        }
        method.write(named, &mut out);
    }
    let _ = write!(
        out,
        "}}\n\nimpl<C: Commands> {}Commands for C {{}}\n",
        camel_case(group)
    );
    if out.lines().count() > LINES_MAX {
        let reason = "`.\n//!\n//! Over 800 lines because a group is one file.\n//!\n";
        out = out.replacen("`.\n//!\n", reason, 1);
    }
    out
}

fn key_row(named: &Named) -> Option<String> {
    let command = named.command;
    let spec = command
        .keys
        .iter()
        .find(|spec| !matches!(spec.begin, Begin::Unknown))?;
    let first = match (spec.begin, spec.find) {
        (Begin::Index(at), Find::Count { count, first, .. }) => {
            format!("FirstKey::Counted({}, {})", at + count, at + first)
        }
        (Begin::Index(at), _) => format!("FirstKey::At({at})"),
        (Begin::Keyword(word, _) | Begin::Options { word, .. }, _) => {
            format!("FirstKey::Behind(\"{word}\")")
        }
        (Begin::Unknown, _) => return None,
    };
    let name = named.name.replace('|', " ").to_ascii_uppercase();
    Some(format!("    (\"{name}\", {first}),\n"))
}

fn keys_file() -> String {
    let mut rows: Vec<String> = callable().iter().filter_map(key_row).collect();
    rows.sort();
    format!(
        "//! Where each command has its first key.\n//!\n//! Invariant: made from the server's command table by \
         `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be\n//! edited. Sorted by name.\n\n\
         use super::super::FirstKey;\n\n\
         /// Commands, with the container's name before a subcommand's.\n\
         pub(crate) const FIRST_KEYS: &[(&str, FirstKey)] = &[\n{}];\n",
        rows.concat()
    )
}

fn files() -> BTreeMap<String, String> {
    let mut groups: BTreeMap<&str, Vec<Named>> = BTreeMap::new();
    for named in callable() {
        groups.entry(named.command.group).or_default().push(named);
    }
    let mut files = BTreeMap::new();
    let mut modules = String::from(
        "//! The commands, a trait for each group.\n//!\n//! Invariant: made from the server's command table by \
         `DUNLIN_WRITE=1 cargo test -p dunlin-server --test client_commands`; not to be\n//! edited.\n\n",
    );
    let mut exports = String::from("\n");
    for (group, mut commands) in groups {
        commands.sort_by(|a, b| a.name.cmp(&b.name));
        let module = group.replace('-', "_");
        let _ = writeln!(modules, "#[rustfmt::skip]\nmod {module};");
        let _ = writeln!(exports, "pub use {module}::{}Commands;", camel_case(group));
        files.insert(format!("{module}.rs"), group_file(group, &commands));
    }
    modules.push_str("#[rustfmt::skip]\npub(crate) mod keys;\n");
    files.insert("keys.rs".into(), keys_file());
    files.insert("mod.rs".into(), modules + &exports);
    files
}

#[test]
fn the_clients_commands_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let files = files();
    let written: BTreeSet<String> = std::fs::read_dir(&folder)
        .map(|entries| {
            let names = entries.map(|entry| entry.unwrap().file_name());
            names.map(|name| name.into_string().unwrap()).collect()
        })
        .unwrap_or_default();
    if std::env::var_os("DUNLIN_WRITE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for stale in written.iter().filter(|name| !files.contains_key(*name)) {
            std::fs::remove_file(folder.join(stale)).unwrap();
        }
        for (name, text) in &files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        return;
    }
    let hint =
        "the client's commands are not what the table says: run this test with DUNLIN_WRITE=1";
    assert!(written.iter().eq(files.keys()), "{hint}");
    for (name, text) in files {
        let found = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(found == text, "{name}: {hint}");
    }
}
