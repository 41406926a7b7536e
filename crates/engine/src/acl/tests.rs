//! Rules as text, and what they allow.

use super::*;
use crate::args::OwnedArgs;
use crate::commands::FAMILIES;
use crate::table::Table;

fn rules_of(table: &Table, text: &str) -> Result<Rules, RuleError> {
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    let words = merge_selectors(&words).map_err(|_| RuleError::Syntax)?;
    let mut rules = Rules::new(table, false);
    for word in &words {
        rules.apply(word, table, false)?;
    }
    Ok(rules)
}

/// What the rules are described as, without the flags.
fn described(text: &str) -> String {
    let table = Table::new(FAMILIES);
    match rules_of(&table, text) {
        Ok(rules) => {
            let described = String::from_utf8(rules.describe()).unwrap();
            assert_eq!(
                rules_of(&table, &described).as_ref(),
                Ok(&rules),
                "{described}"
            );
            let start = described.find("payload ").unwrap() + "payload ".len();
            described[start..].to_owned()
        }
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn rules_are_described_as_they_were_given_without_what_others_replaced() {
    for (given, expected) in [
        ("", "resetchannels -@all"),
        ("allkeys allchannels allcommands", "~* &* +@all"),
        ("+get +GET +set -get", "resetchannels -@all +set -get"),
        ("+object|freq +object", "resetchannels -@all +object"),
        (
            "+object -object|freq",
            "resetchannels -@all +object -object|freq",
        ),
        (
            "+@read -@Hash +@all -@dangerous",
            "resetchannels +@all -@dangerous",
        ),
        ("~a %R~b %w~b %W~c", "~a ~b %W~c resetchannels -@all"),
        ("&a &b &a", "resetchannels &a &b -@all"),
        (
            "+select|0 +select|1",
            "resetchannels -@all +select|0 +select|1",
        ),
        (
            "(~a +get) (+set)",
            "resetchannels -@all (~a resetchannels -@all +get) (resetchannels -@all +set)",
        ),
        ("(+get) clearselectors", "resetchannels -@all"),
        ("+@all ~a reset", "resetchannels -@all"),
        ("~* ~a", "AfterAllKeys"),
        ("&* &a", "AfterAllChannels"),
        ("+nosuch", "Unknown"),
        ("+@nosuch", "Unknown"),
        ("+object|nosuch", "Unknown"),
        ("+object|freq|x", "FirstArgOfSubcommand"),
        ("+get|", "Syntax"),
        ("%~a", "Syntax"),
        ("%RR~a", "Syntax"),
        ("%X~a", "Syntax"),
        ("%", "Syntax"),
        ("%R", "%R~ resetchannels -@all"),
        ("nonsense", "Syntax"),
        ("<nosuch", "NoSuchPassword"),
        ("#1234", "BadHash"),
        ("(+get", "Syntax"),
        ("(nonsense)", "Syntax"),
    ] {
        assert_eq!(described(given), expected, "{given}");
    }
}

#[test]
fn passwords_are_kept_as_hashes() {
    let table = Table::new(FAMILIES);
    let rules = rules_of(&table, "on >foobared").unwrap();
    let hash = "1b58ee375b42e41f0e48ef2ff27d10a5b1f6924a9acdcdba7cae868e7adce6bf";
    let text = String::from_utf8(rules.describe()).unwrap();
    let shown = text.split(' ').find(|word| word.starts_with('#')).unwrap();
    assert_eq!(shown, format!("#{hash}"));
    assert!(rules.admits(b"foobared") && !rules.admits(b"foobare") && !rules.admits(b""));
    // As the hash it is the same password, which can be taken away by either.
    let again = rules_of(&table, &format!("on {shown}")).unwrap();
    assert_eq!(again, rules);
    let gone = rules_of(&table, &format!("on {shown} <foobared")).unwrap();
    assert!(!gone.admits(b"foobared"));
    assert!(!rules_of(&table, "off nopass").unwrap().admits(b"x"));
    assert!(rules_of(&table, "on nopass").unwrap().admits(b"x"));
}

/// What the rules say to a command.
fn ask(rules: &str, command: &str) -> Result<(), Denial> {
    let table = Table::new(FAMILIES);
    let rules = rules_of(&table, rules).unwrap();
    let args = OwnedArgs::of(command.split(' ').map(str::as_bytes));
    let id = table.id_of_call(args.as_args()).unwrap();
    rules.check(&table, id, args.as_args())
}

#[test]
fn commands_keys_and_channels_are_checked() {
    use Denial::{Channel, Command, Key};
    for (rules, command, expected) in [
        ("", "GET k", Err(Command)),
        ("+get", "GET k", Err(Key(1))),
        ("+get ~k*", "GET k1", Ok(())),
        ("+get %W~k*", "GET k1", Err(Key(1))),
        ("+set %W~k*", "SET k1 v", Ok(())),
        ("+set %W~k*", "SET k1 v GET", Err(Key(1))),
        (
            "+@all %R~k",
            "BITFIELD k GET u8 0 OVERFLOW SAT GET u8 0",
            Ok(()),
        ),
        ("+@all %R~k", "BITFIELD k GET u8 0 SET u8 0 1", Err(Key(1))),
        ("+@all ~a", "MSET a 1 b 2", Err(Key(3))),
        ("+@all ~a", "ZUNIONSTORE a 2 a b", Err(Key(4))),
        ("+@all", "PUBLISH c m", Err(Channel(1))),
        ("+@all &c", "SUBSCRIBE c d", Err(Channel(2))),
        ("+@all &c*", "SUBSCRIBE c1 c2", Ok(())),
        ("+@all &c*", "PSUBSCRIBE c*", Ok(())),
        ("+@all &c*", "PSUBSCRIBE c1*", Err(Channel(1))),
        ("+select|0", "SELECT 0", Ok(())),
        ("+select|0", "SELECT 1", Err(Command)),
        ("+select|0 -select", "SELECT 0", Err(Command)),
        ("+object|encoding ~*", "OBJECT ENCODING k", Ok(())),
        ("+object|encoding ~*", "OBJECT FREQ k", Err(Command)),
        ("+@all -object|freq ~*", "OBJECT FREQ k", Err(Command)),
        // A selector is asked as a whole.
        ("+get ~a (+set ~b)", "SET b v", Ok(())),
        ("+get ~a (+set ~b)", "SET a v", Err(Key(1))),
        ("+get ~a (+set ~b)", "DEL a", Err(Command)),
    ] {
        assert_eq!(ask(rules, command), expected, "{rules}: {command}");
    }
}

#[test]
fn commands_to_come_are_allowed_to_who_may_do_all() {
    let table = Table::new(FAMILIES);
    for text in ["+@all", "+@all -get", "-@all +@all"] {
        let rules = rules_of(&table, text).unwrap();
        assert!(rules.selectors()[0].commands_text().starts_with("+@all"));
    }
}
