# What a promise in seconds is worth on this machine, at this moment. A step that measures one runs alone (`Step.alone`); what else the
# machine does is measured in the same run and allowed for. A wait that is no promise needs none of this: it is generous (`PATIENCE`).
import hashlib
import time

from prove.steps import Failure

# Seconds for what is not promised within a time: only something that never comes takes as long.
PATIENCE = 300
# Seconds of processor time; short beside every promise, long beside a slice of the scheduler.
SAMPLE = 0.25


def stretch() -> float:
    """How many times longer than on an idle machine something takes now: the time of a piece of work against its processor time."""
    begin, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < SAMPLE:
        hashlib.sha256(bytes(1 << 16)).digest()
    return max(1.0, (time.monotonic() - begin) / SAMPLE)


def promised(there, seconds, what):
    """How long it took until something was so, within a promise: so many seconds of an idle machine."""
    begin, limit = time.monotonic(), seconds * stretch()
    while True:
        while time.monotonic() - begin < limit:
            if there():
                return time.monotonic() - begin
            time.sleep(0.05)
        # The machine may have become busy meanwhile.
        now = seconds * stretch()
        if now <= limit * 1.1:
            raise Failure(f"after {limit:.1f} seconds, which stand for {seconds} of an idle machine, still not: {what}")
        limit = now


def wait(there, what):
    """Until something is so that nobody promised within a time."""
    begin = time.monotonic()
    while not there():
        if time.monotonic() - begin > PATIENCE:
            raise Failure(f"after {PATIENCE} seconds still not: {what}")
        time.sleep(0.05)
