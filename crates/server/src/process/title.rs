//! `set-proc-title` and `proc-title-template`: the command line that `ps` shows.
//!
//! Invariant: a title that the system refuses is no reason for anything; the command line stays what it was then.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use crate::config::Config;

/// The program as it was called.
static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();

/// Remembers how the program was called, for `{title}`. The first call counts.
pub(super) fn remember(program: &OsStr) {
    let _ = PROGRAM.set(program.as_bytes().to_vec());
}

/// Shows the title that this configuration asks for.
pub(crate) fn follow(config: &Config) {
    // Without a name nobody has called a program: a test.
    let Some(program) = PROGRAM.get().filter(|_| config.yes("set-proc-title")) else {
        return;
    };
    let title = expand(config, program);
    if let Err(error) = dunlin_reactor::process_title::set(&title) {
        tracing::debug!("The command line stays what it was: {error}");
    }
}

/// The template with its variables put in; no blanks at either end.
fn expand(config: &Config, program: &[u8]) -> Vec<u8> {
    let mut title = Vec::new();
    let mut rest = config.text("proc-title-template");
    while let Some(start) = rest.iter().position(|byte| *byte == b'{') {
        // CONFIG refuses a template with an open brace or another name.
        let Some(length) = rest[start..].iter().position(|byte| *byte == b'}') else {
            break;
        };
        title.extend_from_slice(&rest[..start]);
        let name = &rest[start + 1..start + length];
        title.extend_from_slice(&variable(config, program, name));
        rest = &rest[start + length + 1..];
    }
    title.extend_from_slice(rest);
    title.trim_ascii().to_vec()
}

fn variable(config: &Config, program: &[u8], name: &[u8]) -> Vec<u8> {
    let unix_socket = || {
        let path = config.unixsocket();
        path.map_or_else(Vec::new, |path| path.as_os_str().as_bytes().to_vec())
    };
    match name {
        b"title" => program.to_vec(),
        b"listen-addr" if config.main_port() == 0 => unix_socket(),
        b"listen-addr" => {
            let first = config.bind().into_iter().next();
            let host = first.map_or_else(|| "*".to_owned(), |bind| bind.host.to_string());
            format!("{host}:{}", config.main_port()).into_bytes()
        }
        // There is no cluster and no Sentinel to tell of.
        b"tls-port" => config.tls_port().to_string().into_bytes(),
        b"port" => config.port().to_string().into_bytes(),
        b"unixsocket" => unix_socket(),
        b"config-file" => {
            let path = config.file();
            path.map_or_else(Vec::new, |path| path.as_os_str().as_bytes().to_vec())
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::expand;
    use crate::config::Config;

    #[test]
    fn templates_are_filled_in() {
        for (arguments, title) in [
            (
                &["--bind", "127.0.0.1 -::1", "--port", "7000"][..],
                "redis-server 127.0.0.1:7000",
            ),
            (&["--bind", "* -::*"], "redis-server *:6379"),
            (
                &["--port", "0", "--unixsocket", "/run/x.sock"],
                "redis-server /run/x.sock",
            ),
            (
                &["--port", "0", "--tls-port", "7001", "--bind", "::1"],
                "redis-server ::1:7001",
            ),
            (
                &[
                    "--proc-title-template",
                    " TEST {title} {port} {tls-port} {unixsocket}|{config-file} {server-mode} ",
                    "--unixsocket",
                    "/s",
                ],
                "TEST redis-server 6379 0 /s|",
            ),
        ] {
            let config = Config::load(arguments)
                .expect("a valid command line")
                .config;
            let expanded = expand(&config, b"redis-server");
            assert_eq!(String::from_utf8_lossy(&expanded), title);
        }
    }
}
