"""Celery against a running server, which is its broker and keeps its results: retries, countdowns, priorities, a rate limit, chains and
chords, tasks that are revoked, processes that are killed.

DUNLIN_PORT says where it listens, DUNLIN_JOBS how many tasks there are in all (default 1,000). Database 0 is the broker's, database 1
has results, in database 2 tasks note that they ran; all must be empty, and are empty again at the end. Prints a line for each check and
`N passed, M failed` at the end.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import traceback

import redis
from celery import Celery, chain, chord, group
from celery.exceptions import TaskRevokedError

PORT = int(os.environ["DUNLIN_PORT"])
JOBS = int(os.environ.get("DUNLIN_JOBS", "1000"))
# What a part may take: a task that is lost would be waited for for ever.
LIMIT_S = 60 + JOBS / 20
# What Celery keeps about its queues, and about chords that have ended (with a deadline).
BOOKS = r"_kombu\.binding|celery-taskset-meta-.*\.c$"

notes = redis.Redis(port=PORT, db=2, decode_responses=True)

app = Celery("celery_jobs", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.update(
    # Tasks of the queue `ranked` are taken by priority, 0 before 9.
    broker_transport_options={
        "priority_steps": list(range(10)),
        "queue_order_strategy": "priority",
    },
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    result_expires=600,
    worker_hijack_root_logger=False,
)


# The tasks --------------------------------------------------------------------------------------------------------------


def note(task):
    """Says that this task runs now; how often it did by now."""
    pipe = notes.pipeline()
    pipe.rpush("order", task.request.id)
    pipe.rpush(f"runs:{task.request.id}", time.time())
    return pipe.execute()[1]


@app.task(bind=True)
def square(self, n):
    note(self)
    return {"square": n * n}


@app.task(bind=True)
def add(self, *numbers):
    note(self)
    return sum(numbers)


@app.task(bind=True)
def total(self, numbers):
    note(self)
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def fails(self, times, countdown):
    run = note(self)
    if run <= times:
        raise self.retry(exc=ValueError(f"failure {run}"), countdown=countdown)
    return run


@app.task(bind=True, rate_limit="20/s")
def slowly(self, n):
    note(self)
    return n


@app.task(bind=True, acks_late=False)
def seldom(self, n):
    note(self)
    return n


@app.task(bind=True, reject_on_worker_lost=True)
def dies_once(self, n):
    if note(self) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


# The checks -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workers(queues, count=2, concurrency=4, pool="threads", options=()):
    """Worker processes, which are stopped at the end."""
    command = [sys.executable, "-m", "celery", "-A", "celery_jobs", "worker", "-Q", queues, "-c", str(concurrency)]
    command += ["-P", pool, "-l", "CRITICAL", "--without-heartbeat", *options]
    processes = [
        subprocess.Popen(
            [*command, "-n", f"{queues}.{number}@here"],
            cwd=os.path.dirname(os.path.abspath(__file__)),
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            # The banner, and a warning to who is root.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(count)
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            assert process.wait(30) == 0, "a worker failed"


def runs(result):
    return [float(at) for at in notes.lrange(f"runs:{result.id}", 0, -1)]


def values(results):
    """What tasks have returned, or the errors that they ended with."""
    return [result.get(timeout=LIMIT_S, propagate=False) for result in results]


def clean(results):
    for result in results:
        result.forget()
    notes.flushdb()


def plain(count):
    with workers("plain"):
        results = [square.apply_async((n,), queue="plain") for n in range(count)]
        found = values(results)
    assert found == [{"square": n * n} for n in range(count)]
    for result in results:
        assert result.state == "SUCCESS" and len(runs(result)) == 1, (result.id, runs(result))
    clean(results)


def delayed(count):
    with workers("delayed", concurrency=20):
        began = time.time()
        waits = [1 + n % 3 for n in range(count)]
        results = [square.apply_async((n,), queue="delayed", countdown=wait) for n, wait in enumerate(waits)]
        found = values(results)
    assert found == [{"square": n * n} for n in range(count)]
    for wait, result in zip(waits, results):
        times = runs(result)
        assert len(times) == 1 and times[0] - began >= wait - 0.05, (wait, times[0] - began)
    clean(results)


def retried(count):
    with workers("retried"):
        results = [fails.apply_async((n % 5, 0.05), queue="retried") for n in range(count)]
        found = values(results)
    for n, (result, value) in enumerate(zip(results, found)):
        times = runs(result)
        assert len(times) == min(n % 5 + 1, 4), (n, times)
        assert all(later - sooner >= 0.04 for sooner, later in zip(times, times[1:])), times
        if n % 5 < 4:
            assert value == n % 5 + 1 and result.state == "SUCCESS", (n, value)
        else:
            assert isinstance(value, ValueError) and str(value) == "failure 4" and result.state == "FAILURE", (n, value)
    clean(results)


def prioritized(count):
    """They wait before their worker starts, which then takes them by priority, and equal ones as they came."""
    ranks = [(n * 7 + 3) % 10 for n in range(count)]
    results = [square.apply_async((n,), queue="ranked", priority=rank) for n, rank in enumerate(ranks)]
    with workers("ranked", count=1, concurrency=1, pool="solo"):
        values(results)
    wanted = [result.id for _, result in sorted(zip(ranks, results), key=lambda pair: pair[0])]
    assert notes.lrange("order", 0, -1) == wanted
    clean(results)


def limited():
    """Twenty a second, for each worker; there is one."""
    count = 60
    # Of another kind than the others, which keeps time while it waits.
    with workers("limited", count=1, concurrency=2, pool="prefork", options=["--prefetch-multiplier", "0"]):
        results = [slowly.apply_async((n,), queue="limited") for n in range(count)]
        assert values(results) == list(range(count))
    times = sorted(at for result in results for at in runs(result))
    assert len(times) == count
    took = times[-1] - times[0]
    # Some come at once in the beginning.
    assert took > 0.6 * count / 20, f"{count} in {took} s"
    clean(results)


def composed(count):
    """Groups, chains, and chords, whose last task has the results of all before it."""
    chords = max(3, count // 20)
    with workers("celery"):
        together = group(add.s(n, n) for n in range(count // 2)).apply_async()
        one_by_one = chain(add.s(1, 2), add.s(3), add.s(4)).apply_async()
        sums = [chord((add.s(n, k) for k in range(8)), total.s()).apply_async() for n in range(chords)]
        assert together.get(timeout=LIMIT_S) == [2 * n for n in range(count // 2)]
        assert one_by_one.get(timeout=LIMIT_S) == 10
        assert values(sums) == [8 * n + 28 for n in range(chords)]
    for result in [*together.results, *sums, one_by_one]:
        assert len(runs(result)) == 1, (result.id, runs(result))
    for last in [*sums, one_by_one]:
        while last.parent:
            last.parent.forget()
            last = last.parent
    clean([together, *together.results, *sums, one_by_one])


def revoked():
    """Tasks that are taken back before their time, and such as are too old, never run."""
    old = [seldom.apply_async((n,), queue="revoked", expires=0.2) for n in range(10)]
    time.sleep(0.5)
    with workers("revoked"):
        fresh = [seldom.apply_async((n,), queue="revoked", expires=600) for n in range(10)]
        values(fresh)
        later = [seldom.apply_async((n,), queue="revoked", countdown=2) for n in range(10)]
        time.sleep(0.5)
        app.control.revoke([result.id for result in later])
        for result in old + later:
            assert isinstance(result.get(timeout=LIMIT_S, propagate=False), TaskRevokedError)
        # Their messages stay until their time has come.
        time.sleep(2.5)
    assert all(runs(result) == [] for result in old + later)
    assert all(len(runs(result)) == 1 for result in fresh)
    clean(old + later + fresh)


def killed():
    """What a process had not ended when it was killed is done by another."""
    results = [dies_once.apply_async((n,), queue="killed") for n in range(6)]
    with workers("killed", count=1, concurrency=2, pool="prefork"):
        assert values(results) == list(range(6))
    assert [len(runs(result)) for result in results] == [2] * 6
    clean(results)


def empty():
    left = [key for database in range(3) for key in redis.Redis(port=PORT, db=database, decode_responses=True).keys()]
    left = [key for key in left if not re.match(BOOKS, key)]
    assert not left, left[:10]
    redis.Redis(port=PORT).flushall()


def main():
    def share(part):
        return max(20, round(JOBS * part))

    checks = {
        "plain tasks": lambda: plain(share(0.45)),
        "countdowns": lambda: delayed(share(0.15)),
        "retries": lambda: retried(share(0.15)),
        "priorities": lambda: prioritized(share(0.15)),
        "groups, chains and chords": lambda: composed(share(0.1)),
        "a rate limit": limited,
        "revoked and expired tasks": revoked,
        "a process that is killed": killed,
        "nothing is left": empty,
    }
    passed = failed = 0
    for name, check in checks.items():
        began = time.monotonic()
        try:
            check()
            passed += 1
            print(f"ok {name} ({round(1000 * (time.monotonic() - began))} ms)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    print(f"{JOBS} tasks")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    # Its tasks must go by the module's name, by which workers know them.
    import celery_jobs

    celery_jobs.main()
