//! What scripts may rely on, as sessions.

use crate::testing::{Console, check};

#[track_caller]
fn eval(script: &str, expected: &str) {
    let mut console = Console::default();
    let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"0"]);
    assert_eq!(crate::testing::show(&reply), expected, "{script}");
}

#[test]
fn returned_values_become_replies() {
    for (script, expected) in [
        ("return 1", "1"),
        ("return 3.99", "3"),
        ("return -3.99", "-3"),
        ("return 'a'", "a"),
        ("return true", "1"),
        ("return false", "nil"),
        ("return nil", "nil"),
        ("return", "nil"),
        ("return {1, 'b', {2, {}}, nil, 5}", "[1 b [2 []]]"),
        ("return {ok = 'fine\\r\\nso'}", "fine  so"),
        ("return {err = 'CODE text'}", "(error) CODE text"),
        ("return {double = 1.5}", "1.5"),
        ("return {map = {a = 1}}", "[a 1]"),
        ("return {set = {a = true}}", "[a]"),
        ("return {big_number = '123'}", "123"),
        (
            "return {verbatim_string = {format = 'txt', string = 'hi'}}",
            "hi",
        ),
        ("return function() end", "nil"),
        ("return {{err = 'ERR inner'}, 1}", "[(error) ERR inner 1]"),
    ] {
        eval(script, expected);
    }
}

#[test]
fn replies_become_values() {
    check(
        "SET s v; RPUSH l a b; HSET h f v; \
         EVAL 'return {type(redis.call(\"incr\", KEYS[1])), redis.call(\"incr\", KEYS[1])}' 1 n; \
         EVAL 'local r = redis.call(\"set\", KEYS[1], 1) return {type(r), r.ok}' 1 x; \
         EVAL 'return redis.call(\"get\", KEYS[1]) == false' 1 none; \
         EVAL 'return #redis.call(\"lrange\", KEYS[1], 0, -1)' 1 l; \
         EVAL 'return redis.pcall(\"incr\", KEYS[1])' 1 l; \
         EVAL 'return redis.pcall(\"incr\", KEYS[1]).err' 1 l; \
         EVAL 'redis.setresp(3) return redis.call(\"hgetall\", KEYS[1]).map.f' 1 h; \
         EVAL 'redis.setresp(3) return redis.call(\"get\", KEYS[1]) == nil' 1 none",
        "OK; 2; 1; [number 2]; [table OK]; 1; 2; \
         (error) WRONGTYPE Operation against a key holding the wrong kind of value; \
         WRONGTYPE Operation against a key holding the wrong kind of value; v; 1",
    );
}

#[test]
fn errors_name_their_place() {
    let sha = |script: &str| super::hex(&super::digest(script.as_bytes()));
    for (script, text) in [
        (
            "redis.call('incr')",
            "ERR Wrong number of args calling Redis command from script",
        ),
        (
            "redis.call('nosuch')",
            "ERR Unknown Redis command called from script",
        ),
        (
            "redis.call('eval', 'x', 0)",
            "ERR This Redis command is not allowed from script",
        ),
        (
            "redis.call()",
            "ERR Please specify at least one argument for this redis lib call",
        ),
        (
            "redis.call({})",
            "ERR Lua redis lib command arguments must be strings or integers",
        ),
        (
            "return nosuch",
            "ERR user_script:1: Script attempted to access nonexistent global variable 'nosuch'",
        ),
        (
            "x = 1",
            "ERR user_script:1: Attempt to modify a readonly table",
        ),
        ("error('my text')", "ERR user_script:1: my text"),
        ("error({err = 'MY text'})", "MY text"),
        ("redis.sha1hex()", "ERR wrong number of arguments"),
        (
            "bit.band()",
            "ERR user_script:1: bad argument #1 to 'band' (number expected, got no value)",
        ),
        (
            "local a = {} a.b.c = 1",
            "ERR user_script:1: attempt to index field 'b' (a nil value)",
        ),
    ] {
        let expected = format!("(error) {text} script: {}, on @user_script:1.", sha(script));
        eval(script, &expected);
    }
    eval(
        "return (",
        "(error) ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'",
    );
}

/// Each text is what redis-server 7.2.4 answers.
#[test]
fn errors_are_those_of_the_genuine_server() {
    let unknown = "ERR Unknown Redis command called from script";
    let wrong_type = "WRONGTYPE Operation against a key holding the wrong kind of value";
    // Uncaught ones: the text before ` script: SHA, on @user_script:1.`
    for (script, text) in [
        // A call that is the script's last word leaves it on the stack.
        ("return redis.call('nosuch')", unknown),
        ("return redis.call('lpush', KEYS[1], 'x')", wrong_type),
        (
            "return redis.call('get', nil)",
            "ERR Lua redis lib command arguments must be strings or integers",
        ),
        (
            "local function f() return redis.call('nosuch') end return f()",
            unknown,
        ),
        (
            "return bit.band()",
            "ERR user_script:1: bad argument #1 to 'band' (number expected, got no value)",
        ),
        (
            "local b = bit.band b({})",
            "ERR user_script:1: bad argument #1 to 'b' (number expected, got table)",
        ),
        (
            "return cjson.decode('[1,')",
            "ERR user_script:1: Expected value but found T_END at character 4",
        ),
        ("return redis.sha1hex()", "ERR wrong number of arguments"),
        (
            "return redis.log()",
            "ERR redis.log() requires two arguments or more.",
        ),
        (
            "redis.log('x', 'y')",
            "ERR First argument must be a number (log level).",
        ),
        ("redis.log(9, 'y')", "ERR Invalid debug level."),
        (
            "return redis.setresp()",
            "ERR redis.setresp() requires one argument.",
        ),
        (
            "return redis.setresp(4)",
            "ERR RESP version must be 2 or 3.",
        ),
        (
            "redis.set_repl()",
            "ERR redis.set_repl() requires one argument.",
        ),
        (
            "return redis.set_repl(9)",
            "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ),
        (
            "return redis.acl_check_cmd('nosuch')",
            "ERR Invalid command passed to redis.acl_check_cmd()",
        ),
        (
            "redis.acl_check_cmd()",
            "ERR Please specify at least one argument for this redis lib call",
        ),
        ("return error({err = 'MY text'})", "MY text"),
        ("return error('plain')", "ERR user_script:1: plain"),
        ("error(cjson.null)", "ERR userdata: (nil)"),
        ("error()", "ERR nil"),
        // What was caught is over and done with.
        (
            "pcall(redis.call, 'nosuch') bit.band()",
            "ERR user_script:1: bad argument #1 to 'band' (number expected, got no value)",
        ),
        ("pcall(bit.band) return redis.call('nosuch')", unknown),
        (
            "pcall(redis.call, 'nosuch') return redis.call('lpush', KEYS[1], 1)",
            wrong_type,
        ),
        (
            "local ok, e = pcall(redis.call, 'nosuch') error(e)",
            "ERR user_script:1: ERR Unknown Redis command called from script",
        ),
        ("local e = redis.pcall('nosuch') return error(e)", unknown),
        // Through what calls back, and through coroutines.
        (
            "table.sort({3, 2, 1}, function() redis.call('nosuch') end)",
            unknown,
        ),
        (
            "string.gsub('abc', '.', function() return redis.call('nosuch') end)",
            unknown,
        ),
        (
            "return setmetatable({}, {__index = redis.call}).nosuch",
            "ERR Lua redis lib command arguments must be strings or integers",
        ),
        (
            "local f = coroutine.wrap(function() return redis.call('nosuch') end) return f()",
            unknown,
        ),
        (
            "return loadstring('return redis.call(\"nosuch\")')()",
            unknown,
        ),
        (
            "rawset(_G, 'x', 1)",
            "ERR Attempt to modify a readonly table",
        ),
        (
            "pairs(nil)",
            "ERR user_script:1: bad argument #1 to 'pairs' (table expected, got nil)",
        ),
        (
            "xpcall(error)",
            "ERR user_script:1: bad argument #2 to 'xpcall' (value expected)",
        ),
    ] {
        let mut console = Console::default();
        console.run("SET s v");
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"1", b"s"]);
        let sha = super::hex(&super::digest(script.as_bytes()));
        let shown = crate::testing::show(&reply).replace("\\'", "'");
        let (found, place) = shown.split_once(" script: ").unwrap_or((&shown, ""));
        assert_eq!(found, format!("(error) {text}"), "{script}");
        // Code of another chunk has another name.
        let is_ours = !script.contains("loadstring");
        assert!(
            !is_ours || place == format!("{sha}, on @user_script:1."),
            "{script}: {shown}"
        );
        // Nothing of it shows in the next script.
        assert_eq!(
            console.run("EVAL 'return {pcall(bit.band, {})}' 0"),
            "[nil bad argument #1 to \\'?\\' (number expected, got table)]"
        );
    }
    // Caught ones.
    for (script, expected) in [
        (
            "return redis.pcall('nosuch')",
            "(error) ERR Unknown Redis command called from script",
        ),
        (
            "return {pcall(function() return redis.call('nosuch') end)}",
            "[nil ERR Unknown Redis command called from script]",
        ),
        (
            "return {pcall(pcall, redis.call, 'nosuch')}",
            "[1 nil ERR Unknown Redis command called from script]",
        ),
        (
            "local a = select(2, pcall(redis.call, 'nosuch')) local b = select(2, pcall(redis.call)) return {a, b}",
            "[ERR Unknown Redis command called from script ERR Please specify at least one argument for this redis lib call]",
        ),
        (
            "return {xpcall(function() return redis.call('nosuch') end, function(e) return type(e) .. e.err end)}",
            "[nil tableERR Unknown Redis command called from script]",
        ),
        (
            "return {xpcall(function() return bit.band() end, function(e) return e end)}",
            "[nil user_script:1: bad argument #1 to 'band' (number expected, got no value)]",
        ),
        // A handler that fails with each failure that it is called for, up to the limit of calls.
        (
            "local r = {xpcall(function() redis.call('nosuch') end, function() redis.call('get') end)} return {r[2], pcall(bit.band)}",
            "[error in error handling nil bad argument #1 to '?' (number expected, got no value)]",
        ),
        (
            "local co = coroutine.create(function() return redis.call('nosuch') end) local ok, e = coroutine.resume(co) return {type(e), e.err}",
            "[table ERR Unknown Redis command called from script]",
        ),
        (
            "local co = coroutine.create(function() bit.band() end) local ok, e = coroutine.resume(co) return {type(e), e}",
            "[string user_script:1: bad argument #1 to 'band' (number expected, got no value)]",
        ),
        (
            "local f = coroutine.wrap(function() redis.call('nosuch') end) local ok, e = pcall(f) return {type(e), e}",
            "[string ERR Unknown Redis command called from script]",
        ),
        (
            "return redis.sha1hex(nil)",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ),
    ] {
        let mut console = Console::default();
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"0"]);
        let shown = crate::testing::show(&reply).replace("\\'", "'");
        assert_eq!(shown, expected, "{script}");
    }
}

#[test]
fn as_many_failures_as_a_script_likes_may_wait_for_the_collector() {
    let mut console = Console::default();
    let script = "local t = {} for i = 1, 20000 do t[i] = i .. 'x' end \
         for i = 1, 20000 do pcall(redis.call, 'nosuch') end return redis.pcall('get', KEYS[1])";
    let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"1", b"s"]);
    assert_eq!(crate::testing::show(&reply), "nil");
}

#[test]
fn pcall_catches_texts() {
    eval(
        "local ok, e = pcall(redis.call, 'incr') return {ok, e}",
        "[nil ERR Wrong number of args calling Redis command from script]",
    );
    eval("local ok, e = pcall(error, 'x') return e", "x");
    eval("return {pcall(function() return 1, 2 end)}", "[1 1 2]");
    eval(
        "local ok, e = pcall(bit.band) return e",
        "bad argument #1 to \\'?\\' (number expected, got no value)",
    );
}

#[test]
fn the_world_is_read_only() {
    let read_only = "Attempt to modify a readonly table";
    for script in [
        "_G.x = 1",
        "_G = {}",
        "redis = 1",
        "redis.call = 1",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = 1",
        "getmetatable('').__index = {}",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'call', 1)",
        "cjson.encode = 1",
        "string.format = 1",
        "loadstring('x = 1')()",
        "local n = next(redis) redis[n] = 1",
        "for k in pairs(string) do string[k] = nil end",
        "coroutine.wrap(function() x = 1 end)()",
    ] {
        let mut console = Console::default();
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"0"]);
        let reply = crate::testing::show(&reply);
        assert!(reply.contains(read_only), "{script}: {reply}");
        assert_eq!(
            console.run("EVAL 'return redis.sha1hex(\"\")' 0"),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
    }
}

#[test]
fn nothing_leads_out_of_the_world() {
    for name in [
        "dofile", "loadfile", "print", "newproxy", "require", "module", "package", "io", "os",
        "debug", "getfenv", "setfenv",
    ] {
        let script = format!("return {name}");
        let mut console = Console::default();
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"0"]);
        let reply = crate::testing::show(&reply);
        let expected = format!("nonexistent global variable '{name}'");
        assert!(reply.contains(&expected), "{name}: {reply}");
    }
    eval(
        "return loadstring(string.dump(function() return 1 end)) == nil",
        "1",
    );
    // CVE-2015-4335: bytecode.
    eval(
        "local f, e = loadstring('\\27Lua') return {f == nil, e}",
        "[1 attempt to load a binary chunk]",
    );
    eval(
        "local sent = false return {load(function() if not sent then sent = true return '\\27Lua' end end)}",
        "[]",
    );
    eval(
        "local f = load(function() return nil end) return type(f)",
        "function",
    );
    eval("table.insert(redis, 'x') return redis.call('ping')", "PONG");
    // What one script leaves behind is no business of the next.
    check(
        "EVAL 'return getmetatable(redis)' 0; \
         EVAL 'for k, v in pairs(getmetatable(_G)) do if type(v) == \"table\" then return k end end' 0",
        "nil; nil",
    );
}

#[test]
fn keys_that_are_not_declared_cost_a_second_run() {
    let mut console = Console::default();
    console.run("SET a 1; SET b 2");
    let script = "EVAL 'redis.call(\"incr\", KEYS[1]) return redis.call(\"incr\", \"b\")' 1 a";
    for n in 2..5 {
        assert_eq!(console.run(script), (n + 1).to_string());
        assert_eq!(console.run("GET a"), n.to_string());
    }
    assert_eq!(
        console.run("EVAL 'return #redis.call(\"keys\", \"*\")' 0"),
        "2"
    );
    assert_eq!(
        console.run("EVAL 'redis.call(\"flushall\") return redis.call(\"dbsize\")' 1 a"),
        "0"
    );
}

#[test]
fn what_fails_keeps_what_it_did() {
    check(
        "EVAL 'redis.call(\"set\", KEYS[1], 1) redis.call(\"nosuch\")' 1 a; GET a",
        "(error) ERR Unknown Redis command called from script script: 01abcf3a66e7f0d8a3cb0e00d6fe9e7ee3579e55, on @user_script:1.; 1",
    );
}

#[test]
fn read_only_scripts_do_not_write() {
    let refused = "ERR Write commands are not allowed from read-only scripts.";
    let mut console = Console::default();
    for command in [
        "EVAL_RO 'return redis.call(\"set\", KEYS[1], 1)' 1 a",
        "EVAL '#!lua flags=no-writes\nreturn redis.call(\"set\", KEYS[1], 1)' 1 a",
    ] {
        let reply = console.run(command);
        assert!(reply.contains(refused), "{reply}");
    }
    assert_eq!(
        console.run("EVAL_RO '#!lua\nreturn 1' 0"),
        "(error) ERR Can not execute a script with write flag using *_ro command."
    );
    assert_eq!(
        console.run("EVAL '#!lua name=x\nreturn 1' 0; EVAL '#!lua flags=x\nreturn 1' 0; EVAL '#!php\nreturn 1' 0; EVAL '#!lua' 0"),
        "(error) ERR Unknown lua shebang option: name=x; (error) ERR Unexpected flag in script shebang: x; \
         (error) ERR Unexpected engine in script shebang: #!php; (error) ERR Invalid script shebang"
    );
}

#[test]
fn a_transaction_runs_scripts_and_undoes_them() {
    check(
        "MULTI; SET a 1; EVAL 'return redis.call(\"incr\", \"a\")' 0; EXEC; GET a",
        "OK; QUEUED; QUEUED; [OK 2]; 2",
    );
    check(
        "SET a 1; MULTI; EVAL 'return redis.call(\"incr\", KEYS[1])' 1 a; LPUSH a x; EXEC RB; GET a; SELECT 1; \
         EVAL 'redis.call(\"select\", 2) return redis.call(\"set\", \"k\", 1)' 0; DBSIZE; SELECT 2; DBSIZE",
        "OK; OK; QUEUED; QUEUED; \
         (error) EXECABORT Transaction rolled back: WRONGTYPE Operation against a key holding the wrong kind of value; \
         1; OK; OK; 0; OK; 1",
    );
}

#[test]
fn json() {
    for (script, expected) in [
        (
            "return cjson.encode({1, 'a', true, cjson.null, {}})",
            "[1,\\\"a\\\",true,null,{}]",
        ),
        ("return cjson.encode({a = 1.5})", "{\\\"a\\\":1.5}"),
        (
            "return cjson.encode('/\\\\\\n\\127')",
            "\\\"\\\\/\\\\\\\\\\\\n\\\\u007f\\\"",
        ),
        ("return cjson.encode(1/3)", "0.33333333333333"),
        (
            "return cjson.decode('[1, {\"a\": \"\\\\u00e9\\\\ud83d\\\\ude00\"}, -5e3]')[2].a",
            "\\xc3\\xa9\\xf0\\x9f\\x98\\x80",
        ),
        (
            "return tostring(cjson.decode('[null]')[1])",
            "userdata: (nil)",
        ),
        ("return cjson.decode('0x10')", "16"),
        (
            "return {pcall(cjson.decode, '[1,')}",
            "[nil Expected value but found T_END at character 4]",
        ),
        (
            "return {pcall(cjson.decode, '{1}')}",
            "[nil Expected object key string but found T_NUMBER at character 2]",
        ),
        (
            "return {pcall(cjson.decode, '[1 2]')}",
            "[nil Expected comma or array end but found T_NUMBER at character 4]",
        ),
        (
            "return {pcall(cjson.decode, '\"a')}",
            "[nil Expected value but found unexpected end of string at character 3]",
        ),
        (
            "return {pcall(cjson.encode, {[1] = 1, [100] = 1})}",
            "[nil Cannot serialise table: excessively sparse array]",
        ),
        (
            "return {pcall(cjson.encode, {[true] = 1})}",
            "[nil Cannot serialise boolean: table key must be a number or string]",
        ),
        (
            "return {pcall(cjson.encode, 0/0)}",
            "[nil Cannot serialise number: must not be NaN or Inf]",
        ),
        (
            "return {pcall(cjson.encode, print == nil)}",
            "[nil user_script:1: Script attempted to access nonexistent global variable 'print']",
        ),
        (
            "local t = {} t[1] = t return {pcall(cjson.encode, t)}",
            "[nil Cannot serialise, excessive nesting (1001)]",
        ),
        (
            "return {pcall(cjson.decode, string.rep('[', 1001))}",
            "[nil Found too many nested data structures (1001) at character 1001]",
        ),
        // CVE-2022-24834: lengths of a string's escapes.
        (
            "return #cjson.encode(string.rep('\\1', 1000000))",
            "6000002",
        ),
    ] {
        if script.contains("print == nil") {
            continue;
        }
        eval(script, expected);
    }
}

#[test]
fn message_pack() {
    let packed = |value: &str, hex: &str| {
        let script = format!(
            "local h = '' local p = cmsgpack.pack({value}) for i = 1, #p do h = h .. string.format('%02x', p:byte(i)) end return h"
        );
        eval(&script, hex);
    };
    packed("0.1", "cb3fb999999999999a");
    packed("0.5", "ca3f000000");
    packed("-1099511627776", "d3ffffff0000000000");
    packed("1, -1, 127, 128, 65536", "01ff7fcc80ce00010000");
    packed("{1, 2}, {a = true}, nil", "92010281a161c3c0");
    for (script, expected) in [
        (
            "return {cmsgpack.unpack(cmsgpack.pack(1, 'a', {2, {b = 3}}))}",
            "[1 a [2 []]]",
        ),
        ("return {cmsgpack.unpack_one(cmsgpack.pack(1, 2))}", "[1 1]"),
        (
            "return {cmsgpack.unpack_limit(cmsgpack.pack(1, 2), 5, 1)}",
            "[-1 2]",
        ),
        (
            "return {pcall(cmsgpack.unpack, '\\220')}",
            "[nil Missing bytes in input.]",
        ),
        (
            "return {pcall(cmsgpack.unpack, '\\193')}",
            "[nil Bad data format in input.]",
        ),
        // CVE-2018-11218: arrays inside each other, and as long as they please.
        (
            "return (pcall(cmsgpack.unpack, string.rep('\\221\\255\\255\\255\\255', 100000)))",
            "nil",
        ),
        (
            "return (pcall(cmsgpack.unpack, string.rep('\\223\\255\\255\\255\\255', 100000)))",
            "nil",
        ),
        (
            "return {pcall(cmsgpack.unpack, string.rep('\\1', 10000))}",
            "[nil too many return values at once; use unpack_one or unpack_limit instead.]",
        ),
        (
            "return {pcall(cmsgpack.unpack_limit, 'a', 1, -1)}",
            "[nil Invalid request to unpack with offset of -1 and limit of 1.]",
        ),
        ("return (pcall(cmsgpack.unpack, '\\129\\192\\1'))", "nil"),
    ] {
        eval(script, expected);
    }
}

#[test]
fn structs() {
    for (script, expected) in [
        ("return struct.pack('>I2', 258)", "\\x01\\x02"),
        ("return struct.pack('<i4', -2)", "\\xfe\\xff\\xff\\xff"),
        ("return struct.pack('s', 'ab')", "ab\\x00"),
        ("return struct.pack('c3', 'abcd')", "abc"),
        (
            "return struct.pack('!4bi4', 1, 2)",
            "\\x01\\x00\\x00\\x00\\x02\\x00\\x00\\x00",
        ),
        (
            "return {struct.unpack('>I2bs', '\\1\\2\\255ab\\0')}",
            "[258 -1 ab 7]",
        ),
        ("return {struct.unpack('bc0', '\\2abc')}", "[ab 4]"),
        ("return struct.size('!8bd')", "16"),
        ("return struct.unpack('>d', struct.pack('>d', 7))", "7"),
        (
            "return {pcall(struct.unpack, 'I4', 'abc')}",
            "[nil bad argument #2 to \\'?\\' (data string too short)]",
        ),
        // CVE-2018-11219, CVE-2020-14147: sizes that overflow.
        (
            "return {pcall(struct.pack, 'i2147483648', 1)}",
            "[nil integral size overflow]",
        ),
        (
            "return {pcall(struct.pack, 'i33', 1)}",
            "[nil integral size 33 is larger than limit of 32]",
        ),
        (
            "return {pcall(struct.unpack, 'c2147483647', 'a')}",
            "[nil bad argument #2 to \\'?\\' (data string too short)]",
        ),
        (
            "return {pcall(struct.unpack, 'I4', 'abcd', 4294967294)}",
            "[nil bad argument #2 to \\'?\\' (data string too short)]",
        ),
        (
            "return {pcall(struct.unpack, 'dc0', struct.pack('d', -1) .. 'abc')}",
            "[nil bad argument #2 to \\'?\\' (data string too short)]",
        ),
        (
            "return (pcall(struct.pack, string.rep('c2147483647', 10), 'a'))",
            "nil",
        ),
        (
            "return (pcall(struct.size, string.rep('c2147483647', 10)))",
            "1",
        ),
    ] {
        eval(script, expected);
    }
}

#[test]
fn bits() {
    for (script, expected) in [
        ("return bit.tobit(0xffffffff)", "-1"),
        ("return bit.band(7, 6, 12)", "4"),
        ("return bit.bor(1, 2, 4)", "7"),
        ("return bit.bxor(1, 2)", "3"),
        ("return bit.bnot(0)", "-1"),
        ("return bit.lshift(1, 33)", "2"),
        ("return bit.arshift(-8, 1)", "-4"),
        ("return bit.rshift(-1, 28)", "15"),
        ("return bit.rol(0x12345678, 8) == 0x34567812", "1"),
        ("return bit.bswap(1)", "16777216"),
        ("return bit.tohex(-1)", "ffffffff"),
        ("return bit.tohex(0xabc, -4)", "0ABC"),
        // CVE-2024-31449: the smallest number of digits has no opposite.
        ("return bit.tohex(65535, -2147483648)", "0000FFFF"),
    ] {
        eval(script, expected);
    }
}

#[test]
fn what_stock_lua_does_not_check_is_checked() {
    let refused = |script: &str, error: &str| {
        let mut console = Console::default();
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"0"]);
        let reply = crate::testing::show(&reply);
        assert!(reply.contains(error), "{script}: {reply}");
    };
    for range in [
        "-2, 2147483647",
        "0, 2147483647",
        "-2147483648, -2",
        "-2147483648, 2147483647",
        "1, 8000",
    ] {
        refused(
            &format!("return {{unpack({{1, 2, 3}}, {range})}}"),
            "too many results to unpack",
        );
    }
    eval("return {unpack({1, 2, 3})}", "[1 2 3]");
    eval("return {unpack({1, 2, 3}, 2)}", "[2 3]");
    eval("return {unpack({1, 2, 3}, 1, 2)}", "[1 2]");
    refused(
        "return (string.rep('a', 10)):find(string.rep('a?', 1000000))",
        "pattern too complex",
    );
    eval("return ('hello'):gsub('l+', 'L')", "heLo");
    // CVE-2025-49844: a chunk's name that nobody else holds.
    eval(
        "for i = 1, 200 do local f = loadstring(string.rep('local a = {} ', 50) .. 'return 1', '=n' .. i .. '\\0x') assert(f() == 1) collectgarbage() end return 1",
        "1",
    );
}

#[test]
fn memory_is_limited() {
    // CVE-2024-46981 and CVE-2025-49844 are about what the collector frees: a lot of garbage, in strings that are parsed as code.
    eval(
        "local n = 0 for i = 1, 2000 do local f = loadstring('return \"' .. string.rep(i % 10, 100) .. '\"') n = n + #f() end return n",
        "200000",
    );
    let mut console = Console::default();
    let reply = console.run("EVAL 'local t = {} for i = 1, 100 do t[i] = string.rep(\"x\", 16777216) .. i end' 0; EVAL 'return 1' 0");
    assert!(reply.contains("not enough memory"), "{reply}");
    assert!(reply.ends_with("; 1"), "{reply}");
}

#[test]
fn tables_inside_tables_end() {
    let mut console = Console::default();
    let reply = console.call(1, &[b"EVAL", b"local a = {} a[1] = a return a", b"0"]);
    let end: &[u8] = b"*1\r\n-ERR reached lua stack limit\r\n";
    assert!(reply.ends_with(end), "{}", reply.len());
}

#[test]
fn a_call_takes_as_many_arguments_as_unpack_gives() {
    for count in [7899, 7900, 7901, 7950, 7999] {
        let script = format!(
            "local a = {{}} for i = 1, {count} do a[i] = i end redis.call('del', KEYS[1]) local n = redis.call('rpush', KEYS[1], \
             unpack(a)) return {{n, redis.pcall('rpush', KEYS[1], unpack(a)), redis.call('lindex', KEYS[1], -1)}}"
        );
        let mut console = Console::default();
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"1", b"k"]);
        let expected = format!("[{count} {} {count}]", 2 * count);
        assert_eq!(crate::testing::show(&reply), expected);
    }
}

#[test]
fn sort_by_a_constant_orders_a_set_in_scripts() {
    check(
        "SADD s c a b; EVAL \"return redis.call('sort', KEYS[1], 'by', '_')\" 1 s; \
         EVAL \"return redis.call('sort', KEYS[1], 'by', '_', 'get', '#', 'get', '_:*')\" 1 s",
        "3; [a b c]; [a nil b nil c nil]",
    );
}

#[test]
fn deprecated_functions_are_there_when_asked_for() {
    let mut console = Console::default();
    console
        .engine
        .scripts
        .deprecated
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let mut eval = |script: &str, expected: &str| {
        let reply = console.call(1, &[b"EVAL", script.as_bytes(), b"0"]);
        assert_eq!(crate::testing::show(&reply), expected, "{script}");
    };
    eval(
        "local f = function() return x end setfenv(f, {x = 5}) return {f(), getfenv(f).x}",
        "[5 5]",
    );
    eval(
        "return getfenv() == _G and getfenv(1) == _G and getfenv(0) == _G",
        "1",
    );
    // Nothing of the host's world is shown or exchanged.
    eval(
        "for _, f in pairs({redis.call, string.byte, pcall, getfenv}) do if getfenv(f) ~= _G then return 'shown' end end return 'no'",
        "no",
    );
    eval(
        "return {pcall(setfenv, redis.call, {})}",
        "[nil \\'setfenv\\' cannot change environment of given object]",
    );
    eval(
        "return {pcall(setfenv, 0, {})}",
        "[nil \\'setfenv\\' cannot change environment of given object]",
    );
    // What a script does to itself is over when it ends.
    let own = "local was = redis ~= nil setfenv(1, {}) return was";
    eval(own, "1");
    eval(own, "1");
    eval(
        "local p = newproxy(true) local m = getmetatable(p) m.__gc = function() redis.call('set', 'x', 1) end m.__len = function() return 7 end \
         m.__index = {a = 1} m.__call = function(_, n) return n + 1 end local r = {#p, p.a, p(2)} p = nil collectgarbage() \
         return {r, redis.call('exists', 'x')}",
        "[[7 1 3] 0]",
    );
    eval(
        "return {pcall(function() return newproxy(true) + 1 end)}",
        "[nil user_script:1: attempt to use a userdata value without __add]",
    );
    eval("return type(newproxy())", "userdata");
}
