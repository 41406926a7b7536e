//! `dunlin completions SHELL` and `dunlin man [PAGE]`: what a shell completes and the manual says, written from the command
//! lines themselves and from the table of configuration keys.
//!
//! Invariant: nothing is said here that stands there: a new option or key is completed and documented without a line of this file.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Arg, ArgAction, Command, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use dunlin_server::config::{Kind, SECTIONS};

use crate::{bench, cli, gateway, submit};

/// The pages, by the names that `man` knows them by.
const PAGES: &[&str] = &[
    "dunlin",
    "dunlin-cli",
    "dunlin-bench",
    "dunlin-gateway",
    "dunlin-submit",
    "dunlin.conf",
];

/// `completions`.
pub(crate) fn completions(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let shell = match arguments {
        [shell] => shell.to_str().and_then(|shell| shell.parse::<Shell>().ok()),
        _ => None,
    };
    let Some(shell) = shell else {
        bail!("Usage: dunlin completions bash|zsh|fish|elvish|powershell");
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program(), "dunlin", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// `man`.
pub(crate) fn man(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let page = match arguments {
        [] => PAGES.first(),
        [page] => PAGES.iter().find(|known| *page == **known),
        _ => None,
    };
    let Some(page) = page else {
        bail!("Usage: dunlin man {}", PAGES.join("|"));
    };
    std::io::stdout().write_all(&rendered(page)?)?;
    Ok(ExitCode::SUCCESS)
}

fn rendered(page: &'static str) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match page.strip_prefix("dunlin-") {
        None if page == "dunlin.conf" => configuration().to_writer(&mut text)?,
        None => Man::new(summary()).render(&mut text)?,
        Some(name) => {
            let mut program = program();
            // clap's own way to give a subcommand its full name.
            program.build();
            let command = program.find_subcommand(name).expect("listed in PAGES");
            Man::new(command.clone().name(page).display_name(page)).render(&mut text)?;
        }
    }
    Ok(text)
}

/// The whole command line.
fn program() -> Command {
    let mut program = summary();
    for section in SECTIONS {
        for key in section.keys.iter().filter(|key| !key.hidden) {
            let values: &[&str] = match key.kind {
                Kind::YesNo => &["yes", "no"],
                Kind::Choice(words) => words,
                _ => &[],
            };
            let mut argument = Arg::new(key.name)
                .long(key.name)
                .help(first_sentence(key.doc))
                .action(ArgAction::Append);
            if !values.is_empty() {
                argument = argument.value_parser(values.to_vec());
            }
            program = program.arg(argument);
        }
    }
    program
}

/// The command line, with the configuration keys left to a page of their own.
fn summary() -> Command {
    let file = |name| Arg::new(name).value_parser(value_parser!(OsString));
    Command::new("dunlin")
        .version(dunlin_server::logging::startup::VERSION)
        .about("A Redis-compatible in-memory data store: the server, its client and its tools")
        .long_about(
            "Serves the Redis protocol. Without arguments it serves 127.0.0.1:6379; with the path of a redis.conf, and `--key value` for \
             any of its keys, as redis-server. All keys: dunlin.conf(5).",
        )
        .arg(file("redis.conf"))
        .subcommand(cli::command().name("cli"))
        .subcommand(bench::command().name("bench"))
        .subcommand(gateway::command().name("gateway"))
        .subcommand(submit::command().name("submit"))
        .subcommand(
            Command::new("check-rdb")
                .about("Looks at a dump file")
                .arg(file("dump.rdb").required(true)),
        )
        .subcommand(
            Command::new("check-aof")
                .about("Looks at a log, and repairs it if asked to")
                .arg(Arg::new("fix").long("fix").action(ArgAction::SetTrue))
                .arg(Arg::new("truncate-to-timestamp").long("truncate-to-timestamp"))
                .arg(file("manifest").required(true)),
        )
        .subcommand(
            Command::new("completions")
                .about("Writes the completions of a shell")
                .arg(
                    Arg::new("shell")
                        .required(true)
                        .value_parser(value_parser!(Shell)),
                ),
        )
        .subcommand(
            Command::new("man")
                .about("Writes a page of the manual")
                .arg(Arg::new("page").value_parser(PAGES.to_vec())),
        )
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim()
}

/// dunlin.conf(5).
fn configuration() -> Roff {
    let mut page = Roff::new();
    page.control("TH", ["dunlin.conf", "5"]);
    page.control("SH", ["NAME"]);
    page.text([roman("dunlin.conf - configuration of the dunlin server")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("The file is a redis.conf: one directive to a line, a key and its values. Each key may also be given on the command line, as "),
        bold("--key value"),
        roman(", and most may be changed while the server runs, by "),
        bold("CONFIG SET"),
        roman("."),
    ]);
    for section in SECTIONS {
        page.control("SH", [section.title.to_uppercase().as_str()]);
        for key in section.keys.iter().filter(|key| !key.hidden) {
            page.control("TP", []);
            let mut head = vec![bold(key.name)];
            if !key.default.is_empty() {
                head.extend([roman(" "), italic(key.default)]);
            }
            page.text(head);
            page.text([roman(key.doc)]);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_written() {
        program().debug_assert();
        for page in PAGES {
            let text = String::from_utf8(rendered(page).unwrap()).unwrap();
            assert!(text.contains(&format!(".TH {page} ")), "{page}: {text}");
            assert!(text.lines().count() > 20, "{page}");
        }
        let keys = String::from_utf8(rendered("dunlin.conf").unwrap()).unwrap();
        assert!(keys.contains("\\fBmaxmemory\\-policy\\fR \\fInoeviction\\fR"));
    }

    #[test]
    fn completions_know_keys_options_and_values() {
        let mut script = Vec::new();
        clap_complete::generate(Shell::Fish, &mut program(), "dunlin", &mut script);
        let script = String::from_utf8(script).unwrap();
        for expected in ["-l appendfsync", "everysec", "bigkeys", "check-aof"] {
            assert!(script.contains(expected), "{expected}");
        }
    }
}
