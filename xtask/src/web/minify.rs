//! Comments, indentation and empty lines taken out of scripts and styles; nothing is renamed and no line is joined, so that what the
//! browser runs can still be read, and a script means the same.

use anyhow::{Result, bail};

/// A style without comments, and without the blanks that mean nothing.
pub(super) fn css(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        out.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    let lines = out.lines().map(str::trim).filter(|line| !line.is_empty());
    let joined: Vec<_> = lines.collect();
    let mut text = joined.join("\n");
    for (wide, narrow) in [
        (" {", "{"),
        ("{ ", "{"),
        ("{\n", "{"),
        ("; ", ";"),
        (";\n", ";"),
        (";}", "}"),
        (" }", "}"),
        (": ", ":"),
    ] {
        text = text.replace(wide, narrow);
    }
    text.push('\n');
    text
}

/// A script without comments, indentation and empty lines. An error where a text or a pattern does not end.
pub(super) fn javascript(text: &str) -> Result<String> {
    let mut reader = Reader {
        text,
        at: 0,
        out: String::with_capacity(text.len()),
        braces: Vec::new(),
    };
    while reader.at < text.len() {
        reader.token()?;
    }
    Ok(reader.out)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// For each open brace, whether it belongs to a template (`${`), which goes on behind its end.
    braces: Vec<bool>,
}

impl Reader<'_> {
    fn token(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let letter = rest.chars().next().unwrap_or('\n');
        if rest.starts_with("//") {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            let Some(end) = rest.find("*/") else {
                bail!("a comment does not end");
            };
            self.at += end + 2;
        } else if letter == '\n' {
            let length = self.out.trim_end_matches(' ').len();
            self.out.truncate(length);
            if !self.out.is_empty() && !self.out.ends_with('\n') {
                self.out.push('\n');
            }
            self.at += 1;
        } else if letter == ' ' {
            if !self.out.is_empty() && !self.out.ends_with(['\n', ' ']) {
                self.out.push(' ');
            }
            self.at += 1;
        } else if letter == '\'' || letter == '"' {
            self.delimited(letter)?;
        } else if letter == '`' {
            self.copy(1);
            self.template()?;
        } else if letter == '/' && self.starts_pattern() {
            self.pattern()?;
        } else if letter == '{' {
            self.braces.push(false);
            self.copy(1);
        } else if letter == '}' {
            self.copy(1);
            if self.braces.pop() == Some(true) {
                self.template()?;
            }
        } else {
            self.copy(letter.len_utf8());
        }
        Ok(())
    }

    fn copy(&mut self, bytes: usize) {
        self.out.push_str(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    /// A text between quotes, on one line.
    fn delimited(&mut self, quote: char) -> Result<()> {
        let mut escaped = false;
        for (place, letter) in self.text[self.at..].char_indices().skip(1) {
            match letter {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                letter if letter == quote => {
                    self.copy(place + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        bail!("a text does not end: {}", self.line());
    }

    /// A template up to its end, or up to the next expression in it; its blanks and line ends are kept.
    fn template(&mut self) -> Result<()> {
        let mut escaped = false;
        let rest = &self.text[self.at..];
        for (place, letter) in rest.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => {
                    self.copy(place + 1);
                    return Ok(());
                }
                '$' if rest[place..].starts_with("${") => {
                    self.copy(place + 2);
                    self.braces.push(true);
                    return Ok(());
                }
                _ => {}
            }
        }
        bail!("a template does not end: {}", self.line());
    }

    /// Whether a slash begins a pattern: it divides only behind a value.
    fn starts_pattern(&self) -> bool {
        let before = self.out.trim_end();
        let Some(last) = before.chars().next_back() else {
            return true;
        };
        if last == ')' || last == ']' || last == '}' {
            return false;
        }
        if last.is_alphanumeric() || last == '_' || last == '$' {
            let start = before
                .rfind(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '$')
                .map_or(0, |place| place + 1);
            return matches!(
                &before[start..],
                "return" | "typeof" | "case" | "of" | "in" | "await"
            );
        }
        !matches!(last, '\'' | '"' | '`')
    }

    fn pattern(&mut self) -> Result<()> {
        let (mut escaped, mut class) = (false, false);
        for (place, letter) in self.text[self.at..].char_indices().skip(1) {
            match letter {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '[' => class = true,
                ']' => class = false,
                '/' if !class => {
                    self.copy(place + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        bail!("a pattern does not end: {}", self.line());
    }

    fn line(&self) -> &str {
        self.text[self.at..].lines().next().unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blanks_go() {
        let text = "// Head.\n\n  const a = 1; // one\n/* more\n lines */\n  b(  a );\n";
        assert_eq!(javascript(text).unwrap(), "const a = 1;\nb( a );\n");
    }

    #[test]
    fn texts_templates_and_patterns_stay() {
        for text in [
            "'//  no comment' + \"/* nor  this */\"\n",
            "`  // ${a + `  ${b}  `}  /* */\n   x`\n",
            "x.replace(/[/]\\/\\/  '/g, '')\n",
            "const f = () => { return /\"  /.test(x); }\n",
            "a / b / c\n",
            "(a) / 2 // divided\n",
            "'it\\'s // fine'\n",
        ] {
            let wanted = text.replace(" // divided", "");
            assert_eq!(javascript(text).unwrap(), wanted);
        }
    }

    #[test]
    fn what_does_not_end_is_refused() {
        for text in ["'a\n", "`a", "/* a", "x = /a\n"] {
            assert!(javascript(text).is_err(), "{text}");
        }
    }

    #[test]
    fn styles_lose_what_means_nothing() {
        let text = "/* Head */\n.a > b { color: red; }\n\n@media (max-width: 3px) {\n  .c { top: calc(1px + 2px); }\n}\n";
        assert_eq!(
            css(text),
            ".a > b{color:red}\n@media (max-width:3px){.c{top:calc(1px + 2px)}\n}\n"
        );
    }
}
