//! DEBUG DIGEST, DEBUG DIGEST-VALUE key ...: the dataset, or values, as a number to compare; equal to Redis's.

use dunlin_engine::command::{Argument, KeySpec, Scope};
use dunlin_engine::digest::Digest;
use dunlin_engine::{Args, Command, Ctx, Engine, Flow, Outcome, Session};

use super::{FAMILY, permit};

/// DEBUG DIGEST.
pub(super) const DIGEST: Command = Command {
    scope: Scope::All,
    complexity: "O(N) in the bytes of all keys and values",
    summary: "Returns a digest of all databases that does not depend on the order of keys.",
    weight: Some(every_key),
    ..FAMILY.subcommand("digest", "debug", digest)
};

/// DEBUG DIGEST-VALUE.
pub(super) const DIGEST_VALUE: Command = Command {
    keys: &[KeySpec::rest(2, 1, &["RO"])],
    scope: Scope::Keys,
    complexity: "O(N) in the bytes of the values",
    summary: "Returns a digest of each of these keys' values; zeros for a key that does not exist.",
    arguments: &[Argument::KEY.multiple()],
    ..FAMILY.subcommand("digest-value", "debug", digest_value)
};

fn every_key(engine: &Engine, _session: &Session, _args: Args<'_>) -> u64 {
    (0..engine.store.databases() as u32)
        .map(|db| engine.store.len(db))
        .sum()
}

fn digest(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=0)?;
    let digest = Digest::of_dataset(&mut cx.keys);
    cx.reply.simple(&digest.to_string());
    Ok(Flow::Done)
}

fn digest_value(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 0..=usize::MAX)?;
    let db = cx.db();
    cx.reply.array(cx.args.len() - 2);
    for i in 2..cx.args.len() {
        let key = cx.key(i);
        let digest = cx
            .keys
            .peek(db, &key)
            .map(|entry| Digest::of_value(&entry))
            .unwrap_or_default();
        cx.reply.simple(&digest.to_string());
    }
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn digests() {
        let mut console = Console::with_debug();
        let none = "0".repeat(40);
        assert_eq!(
            console.run("DEBUG DIGEST; DEBUG DIGEST-VALUE; DEBUG DIGEST-VALUE k"),
            format!("{none}; []; [{none}]")
        );
        let one = console.run("SET a 1; SET b 2; DEBUG DIGEST; DEBUG DIGEST-VALUE a b");
        let other =
            Console::with_debug().run("SET b 2; SET a 1; DEBUG DIGEST; DEBUG DIGEST-VALUE a b");
        assert_eq!(one, other, "the order does not matter");
        assert_ne!(
            console.run("SET a 1; SET b 3; DEBUG DIGEST; DEBUG DIGEST-VALUE a b"),
            one
        );
        assert_eq!(console.heavy, 0);
        console.run("DEBUG POPULATE 20001");
        let before = console.heavy;
        console.run("DEBUG DIGEST");
        assert_eq!(console.heavy, before + 1);
    }
}
