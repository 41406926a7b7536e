"""redis-py against a running server, over RESP2 and RESP3, TCP and a Unix socket.

DUNLIN_PORT and DUNLIN_SOCKET say where it listens. Prints a line for each check and `N passed, M failed` at the end.
"""

import os
import sys
import traceback

import redis

PORT = int(os.environ["DUNLIN_PORT"])
SOCKET = os.environ["DUNLIN_SOCKET"]
PASSWORD = "a pass word"
# Beyond the reactor's buffers and a string's chunks.
BIG = os.urandom(1 << 20) * 8


def raises(error, call, part=""):
    """Calls, and wants this error with this in its text."""
    try:
        call()
    except error as found:
        assert part in str(found), f"{part!r} is not in {found!r}"
        return
    raise AssertionError(f"no {error.__name__}")


def strings(r, _):
    assert r.ping()
    assert r.set("k", "v", px=100_000) and r.get("k") == b"v" and 0 < r.pttl("k") <= 100_000
    assert r.set("k", "w", nx=True) is None and r.set("k", "w", get=True) == b"v"
    assert r.incrby("n", 5) == 5 and r.incrbyfloat("n", 0.5) == 5.5
    assert r.mget("k", "nosuch", "n") == [b"w", None, b"5.5"]
    assert r.set("bytes", b"\0\r\n$1\r\n\xff") and r.get("bytes") == b"\0\r\n$1\r\n\xff"


def collections(r, _):
    assert r.rpush("l", *range(5)) == 5 and r.lrange("l", 1, -2) == [b"1", b"2", b"3"]
    assert r.hset("h", mapping={"a": 1, "b": "x"}) == 2 and r.hgetall("h") == {b"a": b"1", b"b": b"x"}
    assert r.sadd("s", "a", "b", "c") == 3 and r.smembers("s") == {b"a", b"b", b"c"}
    assert r.zadd("z", {"a": 1.5, "b": float("inf")}) == 2 and r.zscore("z", "a") == 1.5
    pairs = [tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)]
    assert pairs == [(b"a", 1.5), (b"b", float("inf"))], pairs
    assert [tuple(pair) for pair in r.zpopmin("z", 2)] == pairs and r.lpos("l", "3") == 3
    assert r.sort("l", desc=True, start=0, num=2) == [b"4", b"3"]


def transactions(r, connect):
    pipe = r.pipeline(transaction=True)
    pipe.set("k", 1).incr("k").get("k").lpush("k", 1).hgetall("h")
    results = pipe.execute(raise_on_error=False)
    assert results[:3] == [True, 2, b"2"] and results[4] == {}, results
    assert isinstance(results[3], redis.ResponseError) and "WRONGTYPE" in str(results[3])
    many = r.pipeline(transaction=False)
    for i in range(5000):
        many.set(f"many:{i}", i)
    assert all(many.execute())
    other = connect()
    with r.pipeline() as pipe:
        pipe.watch("w")
        other.set("w", "theirs")
        pipe.multi()
        pipe.set("w", "ours")
        raises(redis.WatchError, pipe.execute)
        pipe.watch("w")
        assert pipe.get("w") == b"theirs"
        pipe.multi()
        pipe.set("w", "ours")
        assert pipe.execute() == [True]

    def add_one(pipe):
        count = int(pipe.get("t") or 0)
        if count == 0:
            # Once too late, then tried again.
            other.set("t", 7)
        pipe.multi()
        pipe.set("t", count + 1)

    assert r.transaction(add_one, "t") == [True] and r.get("t") == b"8"
    other.close()


def iterators(r, _):
    pipe = r.pipeline(transaction=False)
    for i in range(3000):
        pipe.set(f"scan:{i}", i)
        pipe.sadd("set", i)
        pipe.hset("hash", i, i)
        pipe.zadd("zset", {str(i): i})
    pipe.execute()
    assert set(r.scan_iter("scan:*", count=100)) == {b"scan:%d" % i for i in range(3000)}
    assert set(r.sscan_iter("set")) == {b"%d" % i for i in range(3000)}
    assert dict(r.hscan_iter("hash")) == {b"%d" % i: b"%d" % i for i in range(3000)}
    assert dict(r.zscan_iter("zset", match="1*")) == {
        b"%d" % i: i for i in range(3000) if str(i).startswith("1")
    }
    assert list(r.scan_iter(_type="zset")) == [b"zset"]


def big_values(r, _):
    assert r.set("big", BIG) and r.get("big") == BIG and r.strlen("big") == len(BIG)
    assert r.getrange("big", 1 << 20, (1 << 20) + 99) == BIG[:100]
    assert r.rpush("l", *[BIG[:100_000]] * 20) == 20 and len(r.lrange("l", 0, -1)) == 20


def errors(r, _):
    r.set("k", "v")
    raises(redis.ResponseError, lambda: r.lpush("k", 1), "WRONGTYPE")
    raises(redis.ResponseError, lambda: r.incr("k"), "not an integer")
    raises(redis.ResponseError, lambda: r.execute_command("NOSUCH", "a"), "unknown command")
    raises(redis.ResponseError, lambda: r.execute_command("GET"), "wrong number of arguments")
    pipe = r.pipeline()
    pipe.execute_command("GET")
    raises(redis.ResponseError, pipe.execute, "wrong number of arguments")
    assert r.get("k") == b"v"


def password(r, connect):
    r.config_set("requirepass", PASSWORD)
    try:
        raises(redis.AuthenticationError, lambda: connect().ping())
        raises(redis.AuthenticationError, lambda: connect(password="no").ping())
        assert connect(password=PASSWORD).ping()
        assert connect(username="default", password=PASSWORD).ping()
    finally:
        r.config_set("requirepass", "")
    assert connect().ping()


def names_and_databases(r, connect):
    named = connect(client_name="a-name", db=3)
    assert named.client_getname() in (b"a-name", "a-name") and named.client_id() > 0
    assert named.set("k", 3) and r.get("k") is None and named.get("k") == b"3"
    assert r.info("server")["redis_version"].startswith("7.2")
    assert r.config_get("maxmemory")["maxmemory"] is not None
    assert r.dbsize() == 0 and named.flushdb() and named.dbsize() == 0


def killed(r, connect):
    victim = connect(retry=redis.retry.Retry(redis.backoff.NoBackoff(), 2))
    number = victim.client_id()
    assert r.client_kill_filter(_id=number) == 1
    # It finds its connection gone, and makes another.
    assert victim.ping() and victim.client_id() != number


def pubsub(r, connect):
    listener = connect().pubsub()

    def message():
        return listener.get_message(timeout=10)

    listener.subscribe("a", "b")
    listener.psubscribe("n[ew]*")
    confirmed = [(found["type"], found["channel"], found["data"]) for found in (message() for _ in range(3))]
    assert confirmed == [("subscribe", b"a", 1), ("subscribe", b"b", 2), ("psubscribe", b"n[ew]*", 3)], confirmed
    assert r.publish("a", "one") == 1 and r.publish("news", b"\0\xff") == 1 and r.publish("none", "x") == 0
    assert r.publish("b", BIG) == 1
    found = [message() for _ in range(3)]
    assert [m["type"] for m in found] == ["message", "pmessage", "message"]
    assert (found[0]["channel"], found[0]["data"]) == (b"a", b"one")
    assert (found[1]["pattern"], found[1]["channel"], found[1]["data"]) == (b"n[ew]*", b"news", b"\0\xff")
    assert found[2]["data"] == BIG
    assert r.pubsub_numsub("a", "b") == [(b"a", 1), (b"b", 1)] and r.pubsub_numpat() == 1
    assert sorted(r.pubsub_channels()) == [b"a", b"b"]
    pipe = r.pipeline(transaction=True)
    pipe.set("k", 1).publish("a", "committed")
    assert pipe.execute() == [True, 1] and message()["data"] == b"committed"
    listener.ping()
    assert message()["type"] == "pong"
    listener.unsubscribe("a")
    assert message()["type"] == "unsubscribe" and r.publish("a", "two") == 0
    listener.unsubscribe()
    listener.punsubscribe()
    assert [message()["data"] for _ in range(2)] == [1, 0] and not listener.subscribed
    listener.close()
    r.config_set("notify-keyspace-events", "KEA")
    try:
        events = connect().pubsub(ignore_subscribe_messages=True)
        events.subscribe("__keyevent@0__:expired", "__keyspace@0__:k")
        while r.pubsub_numsub("__keyspace@0__:k")[0][1] < 1:
            pass
        r.set("k", 2, px=1)
        told = []
        while len(told) < 4:
            found = events.get_message(timeout=10)
            told += [found["data"]] if found else []
        assert sorted(told) == [b"expire", b"expired", b"k", b"set"], told
        events.close()
    finally:
        r.config_set("notify-keyspace-events", "")


CHECKS = [
    strings,
    collections,
    transactions,
    iterators,
    big_values,
    errors,
    password,
    names_and_databases,
    killed,
    pubsub,
]


def main():
    passed = failed = 0
    for protocol in (2, 3):
        for place in ({"port": PORT}, {"unix_socket_path": SOCKET}):

            def connect(**more):
                # A refused password would be tried again for seconds.
                more.setdefault("retry", redis.retry.Retry(redis.backoff.NoBackoff(), 0))
                return redis.Redis(protocol=protocol, **place, **more)

            r = connect()
            for check in CHECKS:
                name = f"RESP{protocol}, {next(iter(place))}: {check.__name__}"
                r.flushall()
                try:
                    check(r, connect)
                except Exception:
                    failed += 1
                    print(f"FAILED {name}\n{traceback.format_exc()}")
                else:
                    passed += 1
                    print(f"ok {name}")
            r.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
