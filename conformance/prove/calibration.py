# Time limits on this machine, under its current load. A step that measures a time runs alone (`Step.alone`); other load of the
# machine is measured in the same run and taken into account. Other waits only have a generous limit (`PATIENCE`).
import hashlib
import time

from prove.steps import Failure

# Seconds for events without a time limit: only an event that never happens takes as long.
PATIENCE = 300
# Seconds of processor time: short compared with every time limit, long compared with a time slice of the scheduler.
SAMPLE = 0.25


def stretch() -> float:
    """How many times longer than on an idle machine something takes now: the time of a piece of work against its processor time."""
    begin, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < SAMPLE:
        hashlib.sha256(bytes(1 << 16)).digest()
    return max(1.0, (time.monotonic() - begin) / SAMPLE)


def promised(there, seconds, what):
    """The time until a condition was true, within a limit in seconds of an idle machine."""
    begin, limit = time.monotonic(), seconds * stretch()
    while True:
        while time.monotonic() - begin < limit:
            if there():
                return time.monotonic() - begin
            time.sleep(0.05)
        # The load may have increased in the meantime.
        now = seconds * stretch()
        if now <= limit * 1.1:
            raise Failure(f"after {limit:.1f} seconds, which stand for {seconds} of an idle machine, still not: {what}")
        limit = now


def wait(there, what):
    """Waits for a condition without a time limit."""
    begin = time.monotonic()
    while not there():
        if time.monotonic() - begin > PATIENCE:
            raise Failure(f"after {PATIENCE} seconds still not: {what}")
        time.sleep(0.05)
