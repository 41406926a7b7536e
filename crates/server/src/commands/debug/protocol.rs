//! DEBUG PROTOCOL type: a sample reply of that type, for the tests of client libraries; the samples are Redis's.

use dunlin_engine::command::{ArgKind, Argument};
use dunlin_engine::{Command, Ctx, Flow, Outcome, ReplyError};
use dunlin_resp::{Version, reply};

use super::{FAMILY, permit};

/// DEBUG PROTOCOL.
pub(super) const PROTOCOL: Command = Command {
    summary: "Replies with a sample of a type: string, integer, double, bignum, null, array, set, map, attrib, push, verbatim, true, false.",
    arguments: &[Argument::new("type", ArgKind::String)],
    ..FAMILY.subcommand("protocol", "debug", protocol)
};

fn protocol(cx: &mut Ctx<'_>) -> Outcome {
    permit(cx, 1..=1)?;
    let version = cx.reply.version();
    let mut out = Vec::new();
    match cx.args.at(2).to_ascii_lowercase().as_slice() {
        b"string" => reply::bulk(&mut out, b"Hello World"),
        b"integer" => reply::integer(&mut out, 12345),
        b"double" => {
            #[allow(clippy::approx_constant, reason = "a sample, not the circle")]
            const SAMPLE: f64 = 3.141;
            reply::double(&mut out, version, SAMPLE);
        }
        b"bignum" => reply::big_number(&mut out, version, "1234567999999999999999999999999999999"),
        b"null" => reply::null(&mut out, version),
        b"array" => {
            reply::array(&mut out, 3);
            (0..3).for_each(|n| reply::integer(&mut out, n));
        }
        b"set" => {
            reply::set(&mut out, version, 3);
            (0..3).for_each(|n| reply::integer(&mut out, n));
        }
        b"map" => {
            reply::map(&mut out, version, 3);
            for n in 0..3 {
                reply::integer(&mut out, n);
                reply::boolean(&mut out, version, n == 1);
            }
        }
        b"attrib" => {
            if version == Version::Resp3 {
                reply::attribute(&mut out, 1);
                reply::bulk(&mut out, b"key-popularity");
                reply::array(&mut out, 2);
                reply::bulk(&mut out, b"key:123");
                reply::integer(&mut out, 90);
            }
            reply::bulk(&mut out, b"Some real reply following the attribute");
        }
        b"push" => {
            if version == Version::Resp2 {
                return Err(ReplyError::err("RESP2 is not supported by this command"));
            }
            reply::push(&mut out, version, 2);
            reply::bulk(&mut out, b"server-cpu-usage");
            reply::integer(&mut out, 42);
            // A push is not the answer, so the answer follows.
            reply::bulk(&mut out, b"Some real reply following the push reply");
        }
        b"verbatim" => reply::verbatim(&mut out, version, "txt", b"This is a verbatim\nstring"),
        b"true" => reply::boolean(&mut out, version, true),
        b"false" => reply::boolean(&mut out, version, false),
        _ => {
            return Err(ReplyError::err(
                "Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    cx.reply.raw(&out);
    Ok(Flow::Done)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::Console;

    #[test]
    fn samples_in_both_dialects() {
        let mut console = Console::with_debug();
        let mut samples = |expected: &[(&str, &str)]| {
            for (kind, reply) in expected {
                let got = console.call(1, &[b"DEBUG", b"PROTOCOL", kind.as_bytes()]);
                assert_eq!(got.escape_ascii().to_string(), *reply, "{kind}");
            }
            console.run("HELLO 3");
        };
        samples(&[
            ("string", "$11\\r\\nHello World\\r\\n"),
            ("integer", ":12345\\r\\n"),
            ("double", "$5\\r\\n3.141\\r\\n"),
            (
                "bignum",
                "$37\\r\\n1234567999999999999999999999999999999\\r\\n",
            ),
            ("null", "$-1\\r\\n"),
            ("array", "*3\\r\\n:0\\r\\n:1\\r\\n:2\\r\\n"),
            ("set", "*3\\r\\n:0\\r\\n:1\\r\\n:2\\r\\n"),
            (
                "map",
                "*6\\r\\n:0\\r\\n:0\\r\\n:1\\r\\n:1\\r\\n:2\\r\\n:0\\r\\n",
            ),
            (
                "attrib",
                "$39\\r\\nSome real reply following the attribute\\r\\n",
            ),
            ("push", "-ERR RESP2 is not supported by this command\\r\\n"),
            ("verbatim", "$25\\r\\nThis is a verbatim\\nstring\\r\\n"),
            ("true", ":1\\r\\n"),
            ("false", ":0\\r\\n"),
        ]);
        samples(&[
            ("double", ",3.141\\r\\n"),
            ("bignum", "(1234567999999999999999999999999999999\\r\\n"),
            ("null", "_\\r\\n"),
            ("set", "~3\\r\\n:0\\r\\n:1\\r\\n:2\\r\\n"),
            (
                "map",
                "%3\\r\\n:0\\r\\n#f\\r\\n:1\\r\\n#t\\r\\n:2\\r\\n#f\\r\\n",
            ),
            (
                "attrib",
                "|1\\r\\n$14\\r\\nkey-popularity\\r\\n*2\\r\\n$7\\r\\nkey:123\\r\\n:90\\r\\n$39\\r\\nSome real reply following the attribute\\r\\n",
            ),
            (
                "push",
                ">2\\r\\n$16\\r\\nserver-cpu-usage\\r\\n:42\\r\\n$40\\r\\nSome real reply following the push reply\\r\\n",
            ),
            ("verbatim", "=29\\r\\ntxt:This is a verbatim\\nstring\\r\\n"),
            ("true", "#t\\r\\n"),
            ("false", "#f\\r\\n"),
        ]);
    }

    #[test]
    fn other_types() {
        let reply = Console::with_debug().run("DEBUG PROTOCOL nosuch");
        assert!(
            reply.starts_with(
                "(error) ERR Wrong protocol type name. Please use one of the following: string|"
            ),
            "{reply}"
        );
    }
}
