//! `cargo xtask web`: the browser console's sources (web/) made into the one page that the server embeds, and the policy it is served with.
//!
//! Invariant: the page is a function of the sources alone, asks for nothing outside itself, and is smaller than [`PAGE_BYTES_MAX`].
//! What is made is committed, so building the server needs neither this task nor a browser's tools; a test says when it is out of date.

mod bundle;
mod minify;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::workspace::{root, write};

/// The largest page that may be embedded.
const PAGE_BYTES_MAX: usize = 300 << 10;
const SOURCES: &str = "web";
const MADE: &str = "crates/server/src/admin/console";

/// What to do.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Change nothing; an error when what is committed is not what the sources make.
    #[arg(long)]
    check: bool,
    /// Build again whenever a source changes, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Take docs/console.png: the console of the release binary under load.
    #[arg(long)]
    picture: bool,
}

/// What is made of the sources.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    page: String,
    policy: String,
}

/// Makes the page, or compares it with what is committed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.watch {
        return watch();
    }
    if arguments.picture {
        return crate::ci::picture();
    }
    let made = make(&root().join(SOURCES))?;
    if arguments.check {
        return fresh(&made);
    }
    put(&made)
}

fn put(made: &Made) -> Result<()> {
    let [page, policy] = places();
    write(&page, &made.page)?;
    write(&policy, &made.policy)?;
    println!(
        "{}: {} bytes of {PAGE_BYTES_MAX}",
        page.display(),
        made.page.len()
    );
    Ok(())
}

fn watch() -> Result<()> {
    let mut last = None;
    loop {
        match make(&root().join(SOURCES)) {
            Ok(made) if last.as_ref() != Some(&made) => {
                put(&made)?;
                last = Some(made);
            }
            Ok(_) => {}
            Err(error) => println!("{error:#}"),
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}

fn places() -> [PathBuf; 2] {
    let dir = root().join(MADE);
    [dir.join("page.html"), dir.join("policy.txt")]
}

/// An error when the committed page is another.
fn fresh(made: &Made) -> Result<()> {
    let [page, policy] = places();
    for (path, wanted) in [(page, &made.page), (policy, &made.policy)] {
        let there = fs::read_to_string(&path).unwrap_or_default();
        ensure!(
            there == *wanted,
            "{} is not what {SOURCES}/ makes: run `cargo xtask web` and commit it",
            path.display()
        );
    }
    Ok(())
}

/// The page of the sources in a folder: index.html with its styles and its module put in.
fn make(sources: &Path) -> Result<Made> {
    let index = read(&sources.join("index.html"))?;
    let mut style = String::new();
    let mut script = String::new();
    let mut page = String::new();
    for line in index.lines().map(str::trim) {
        if let Some(name) = between(line, "<link rel=\"stylesheet\" href=\"", "\">") {
            style.push_str(&minify::css(&read(&sources.join(name))?));
        } else if line == "</head>" {
            page.push_str(&format!("<style>{style}</style>\n</head>\n"));
        } else if let Some(name) = between(line, "<script type=\"module\" src=\"", "\"></script>") {
            ensure!(script.is_empty(), "index.html has more than one script");
            script = minify::javascript(&bundle::bundle(&sources.join(name))?)?;
            page.push_str(&format!("<script type=\"module\">{script}</script>\n"));
        } else {
            page.push_str(line);
            page.push('\n');
        }
    }
    ensure!(!script.is_empty(), "index.html has no script");
    ensure!(
        !script.contains("</script") && !style.contains("</style"),
        "a source closes the element that it is put into"
    );
    ensure!(
        !style.contains("url(") && !style.contains("@import"),
        "a style asks for something outside the page"
    );
    ensure!(
        page.len() <= PAGE_BYTES_MAX,
        "the page has {} bytes, more than {PAGE_BYTES_MAX}",
        page.len()
    );
    Ok(Made {
        policy: policy(&script, &style),
        page,
    })
}

/// The page's Content-Security-Policy: its own script and style, its own origin's API, its own picture, and no parsing of texts as HTML.
fn policy(script: &str, style: &str) -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\n",
        digest(script),
        digest(style)
    )
}

/// A text's digest as policies write it.
fn digest(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text)))
}

/// Base64 with padding, for the one place that needs it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for place in 0..4 {
            if place <= chunk.len() {
                let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(char::from(letter));
            } else {
                text.push('=');
            }
        }
    }
    text
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_suffix(after)
}

fn read(path: &Path) -> Result<String> {
    if path
        .components()
        .any(|part| part == std::path::Component::ParentDir)
    {
        bail!("{} leaves its folder", path.display());
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_is_what_the_sources_make() {
        let made = make(&root().join(SOURCES)).unwrap();
        fresh(&made).unwrap();
    }

    #[test]
    fn the_policy_names_what_stands_in_the_page() {
        let made = make(&root().join(SOURCES)).unwrap();
        let inner = |open: &str, close: &str| {
            let (_, rest) = made.page.split_once(open).unwrap();
            digest(rest.split_once(close).unwrap().0)
        };
        for digest in [
            inner("<script type=\"module\">", "</script>"),
            inner("<style>", "</style>"),
        ] {
            assert!(made.policy.contains(&format!("'{digest}'")), "{digest}");
        }
        assert!(!made.policy.contains("unsafe"));
    }

    #[test]
    fn the_page_names_nothing_outside() {
        let made = make(&root().join(SOURCES)).unwrap();
        // Names of namespaces are no addresses that anything is fetched from.
        let page = made.page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src=\""));
        assert!(!page.contains("innerHTML") && !page.contains("eval("));
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
