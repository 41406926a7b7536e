"""RQ against a running server: results, retries, delays, priorities of queues, dependencies, limited concurrency, a job that dies.

DUNLIN_PORT says where it listens, DUNLIN_JOBS how many jobs there are in all (default 500). Database 0 is RQ's, in database 1 the jobs
note that they ran; both must be empty, and are empty again at the end. Prints a line for each check and `N passed, M failed` at the end.

`rq_jobs.py worker QUEUE ...` is one of its workers.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
import traceback
from datetime import timedelta

import redis
from rq import Queue, RateLimit, Retry, SimpleWorker, Worker, get_current_job
from rq.job import Job, JobStatus
from rq.registry import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)

PORT = int(os.environ["DUNLIN_PORT"])
JOBS = int(os.environ.get("DUNLIN_JOBS", "500"))
# What a part may take: a job that is lost would be waited for for ever.
LIMIT_S = 60 + JOBS / 10
BULK = 200
# What RQ keeps about itself, each with a deadline or for good.
BOOKS = rb"rq:(workers?\b|queues$|clean_|schedulers?\b|queue:.*:intermediate:first_seen:|rl-keys$|rl:\w+$)"
WORKERS = 3

rq_redis = redis.Redis(port=PORT, db=0)
notes = redis.Redis(port=PORT, db=1, decode_responses=True)


# The jobs ---------------------------------------------------------------------------------------------------------------


def note():
    """Says that this job runs now; how often it did by now."""
    job = get_current_job().id
    pipe = notes.pipeline()
    pipe.rpush("order", job)
    pipe.rpush(f"runs:{job}", time.time())
    return pipe.execute()[1]


def square(n):
    note()
    return {"square": n * n, "bytes": bytes([0, 13, 10, 255])}


def fails(times):
    run = note()
    if run <= times:
        raise ValueError(f"failure {run}")
    return run


def total(parts):
    """The sum of what the jobs that this one depends on have returned."""
    note()
    return sum(Job.fetch(part, connection=rq_redis).return_value()["square"] for part in parts)


def alone(seconds):
    """How many of its kind run while this one does."""
    note()
    at_once = notes.incr("at once")
    time.sleep(seconds)
    notes.decr("at once")
    return at_once


def dies():
    note()
    os.kill(os.getpid(), 9)


# The checks -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workers(queues, count=WORKERS, scheduler=False, forks=False):
    """Worker processes, which are stopped at the end."""
    command = [sys.executable, os.path.abspath(__file__), "worker", *queues]
    settings = {**os.environ, "RQ_SCHEDULER": "1" if scheduler else "", "RQ_FORKS": "1" if forks else ""}
    processes = [subprocess.Popen(command, env=settings) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            assert process.wait(30) == 0, "a worker failed"


def worker(queues):
    """What a worker process does until it is told to stop."""
    kind = Worker if os.environ.get("RQ_FORKS") else SimpleWorker
    # With a scheduler it looks for what is due every second.
    one = kind(queues, connection=rq_redis)
    one.work(with_scheduler=bool(os.environ.get("RQ_SCHEDULER")), logging_level="CRITICAL")


def until(condition, what):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.02)


def ended(queue, count):
    registries = [FinishedJobRegistry(queue=queue), FailedJobRegistry(queue=queue)]
    until(lambda: sum(rq_redis.zcard(registry.key) for registry in registries) >= count, f"{count} jobs of {queue.name}")


def runs(job):
    return [float(at) for at in notes.lrange(f"runs:{job.id}", 0, -1)]


def enqueue_many(queue, function, arguments, **options):
    jobs = []
    for at in range(0, len(arguments), BULK):
        data = [
            Queue.prepare_data(f"rq_jobs.{function}", args=args, result_ttl=600, failure_ttl=600, **options)
            for args in arguments[at : at + BULK]
        ]
        jobs += queue.enqueue_many(data)
    return jobs


def clean(*queues):
    """Nothing may be under way; what has ended is removed."""
    for queue in queues:
        assert queue.count == 0, f"{queue.count} left in {queue.name}"
        for kind in (StartedJobRegistry, DeferredJobRegistry, ScheduledJobRegistry):
            assert rq_redis.zcard(kind(queue=queue).key) == 0, f"{kind.__name__} of {queue.name} is not empty"
        for kind in (FinishedJobRegistry, FailedJobRegistry, CanceledJobRegistry):
            for job in kind(queue=queue).get_job_ids():
                Job.fetch(job, connection=rq_redis).delete()
        queue.delete()
    left = [key for key in rq_redis.keys() if not re.match(BOOKS, key)]
    assert not left, left[:10]
    notes.flushdb()


def plain(count):
    queue = Queue("plain", connection=rq_redis)
    with workers(["plain"]):
        jobs = enqueue_many(queue, "square", [(n,) for n in range(count)])
        ended(queue, count)
    for n, job in enumerate(jobs):
        assert job.get_status() == JobStatus.FINISHED, (job.id, job.get_status())
        assert job.return_value() == {"square": n * n, "bytes": bytes([0, 13, 10, 255])}
        assert len(runs(job)) == 1, f"{job.id} ran {len(runs(job))} times"
    clean(queue)


def retried(count):
    """Each runs as often as it says, and no more; some end as failures."""
    queue = Queue("retried", connection=rq_redis)
    with workers(["retried"], scheduler=True):
        at_once = enqueue_many(queue, "fails", [(n % 5,) for n in range(count)], retry=Retry(max=3))
        later = enqueue_many(queue, "fails", [(1,)] * (count // 10), retry=Retry(max=2, interval=1))
        ended(queue, count + len(later))
    for n, job in enumerate(at_once):
        assert len(runs(job)) == min(n % 5 + 1, 4), (n, runs(job))
        job.refresh()
        if n % 5 < 4:
            assert job.get_status() == JobStatus.FINISHED and job.return_value() == n % 5 + 1
        else:
            assert job.get_status() == JobStatus.FAILED and "failure 4" in job.latest_result().exc_string
    for job in later:
        assert len(runs(job)) == 2, runs(job)
        # The time at which it is due is kept in whole seconds.
        first, second = runs(job)
        assert second - first > 0.3, f"tried again after {second - first} s"
    clean(queue)


def delayed(count):
    queue = Queue("delayed", connection=rq_redis)
    with workers(["delayed"], scheduler=True):
        began = time.time()
        jobs = [
            queue.enqueue_in(timedelta(seconds=1 + n % 3), "rq_jobs.square", n, result_ttl=600) for n in range(count)
        ]
        cancelled = queue.enqueue_in(timedelta(seconds=2), "rq_jobs.square", 1)
        cancelled.cancel()
        ended(queue, count)
    for n, job in enumerate(jobs):
        times = runs(job)
        assert len(times) == 1, times
        # As above.
        assert times[0] - began >= n % 3, f"{n} ran {times[0] - began} s after it was asked for"
        assert job.return_value()["square"] == n * n
    assert runs(cancelled) == []
    clean(queue)


def prioritized(count):
    """One worker empties its first queue before it looks into the next."""
    queues = [Queue(name, connection=rq_redis) for name in ("high", "middle", "low")]
    wanted = {queue.name: [] for queue in queues}
    for n in range(count):
        queue = queues[(n * 7 + 2) % 3]
        # What is put in front comes first.
        front = n % 10 == 0
        job = queue.enqueue("rq_jobs.square", n, at_front=front, result_ttl=600)
        wanted[queue.name].insert(0 if front else len(wanted[queue.name]), job.id)
    with workers(["high", "middle", "low"], count=1):
        for queue in queues:
            ended(queue, len(wanted[queue.name]))
    assert notes.lrange("order", 0, -1) == wanted["high"] + wanted["middle"] + wanted["low"]
    clean(*queues)


def dependent(count):
    """A job that depends on others runs when they have succeeded, and not when one has failed."""
    queue = Queue("dependent", connection=rq_redis)
    families = max(2, count // 4)
    sums = []
    for n in range(families):
        parts = [queue.enqueue("rq_jobs.square", n + k, result_ttl=600) for k in range(3)]
        ids = [part.id for part in parts]
        sums.append(queue.enqueue("rq_jobs.total", ids, depends_on=parts, result_ttl=600))
    broken = queue.enqueue("rq_jobs.fails", 1, failure_ttl=600)
    never = queue.enqueue("rq_jobs.total", [], depends_on=broken)
    # Not sooner, and only one: RQ 3.0 leaves a job behind whose dependencies end at the same moment, or while it is put in.
    with workers(["dependent"], count=1):
        ended(queue, 4 * families + 1)
    for n, job in enumerate(sums):
        assert job.return_value() == sum((n + k) ** 2 for k in range(3))
        assert len(runs(job)) == 1
    assert runs(never) == [] and never.get_status() == JobStatus.DEFERRED
    never.delete()
    clean(queue)


def limited(count):
    """At most two of a kind at once, whatever the number of workers."""
    queue = Queue("limited", connection=rq_redis)
    with workers(["limited"], count=4):
        limit = RateLimit("kind", concurrency=2)
        jobs = [queue.enqueue("rq_jobs.alone", 0.005, rate_limit=limit, result_ttl=600) for _ in range(count)]
        ended(queue, count)
    at_once = [job.return_value() for job in jobs]
    assert max(at_once) <= 2 and all(len(runs(job)) == 1 for job in jobs), at_once
    clean(queue)


def dying():
    """A job whose process is killed fails, and those behind it run."""
    queue = Queue("dying", connection=rq_redis)
    with workers(["dying"], count=2, forks=True):
        jobs = [
            queue.enqueue("rq_jobs.dies" if n % 5 == 0 else "rq_jobs.square", *([n] if n % 5 else []), result_ttl=600)
            for n in range(20)
        ]
        ended(queue, len(jobs))
    for n, job in enumerate(jobs):
        assert len(runs(job)) == 1
        assert job.get_status(refresh=True) == (JobStatus.FINISHED if n % 5 else JobStatus.FAILED)
    clean(queue)


def empty():
    for key in rq_redis.keys():
        if re.match(BOOKS, key):
            rq_redis.delete(key)
    left = [key for database in (rq_redis, notes) for key in database.keys()]
    assert not left, left[:10]


def main():
    def share(part):
        return max(20, round(JOBS * part))

    assert rq_redis.dbsize() == 0 and notes.dbsize() == 0, "the databases are not empty"
    checks = {
        "plain jobs": lambda: plain(share(0.4)),
        "retries": lambda: retried(share(0.15)),
        "delays": lambda: delayed(share(0.1)),
        "priorities": lambda: prioritized(share(0.2)),
        "dependencies": lambda: dependent(share(0.1)),
        "limited concurrency": lambda: limited(share(0.05)),
        "jobs that die": dying,
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
    print(f"{JOBS} jobs")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(sys.argv[2:])
    else:
        main()
