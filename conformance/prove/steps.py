# What a step of the proof is, and how steps are run side by side and reported. Knows no tool.
import concurrent.futures
import dataclasses
import os
import pathlib
import threading
import time
import traceback
import typing


class Failure(Exception):
    """A checker's refusal: its words are shown to the person as they are."""


@dataclasses.dataclass
class Step:
    kind: str  # what is proven, as `terraform validate`: the self-test speaks of kinds
    where: str  # which part of the tree
    reads: list[pathlib.Path]  # files and folders that decide the outcome; none of them is a failure
    action: typing.Callable[..., object]  # takes nothing, raises Failure
    seconds: float = 1  # how long it may take: the longest start first
    alone: bool = False  # measures a promise in seconds, so nothing else of the proof runs beside it
    internet: bool = False  # needs more than registries of packages, so a run with `--offline` leaves it out and says so
    slow: bool = False  # left out of the self-test of a normal run unless a defect is meant for it

    def concerns(self, path):
        return any(path == read or read in path.parents for read in self.reads)


@dataclasses.dataclass
class Outcome:
    step: Step
    seconds: float
    failure: str | None


def run_step(step):
    begin = time.monotonic()
    failure = None
    try:
        if not step.reads:
            raise Failure("there is nothing to check: the tree lacks this part, or `prove/tree.py` does not find it")
        step.action()
    except Failure as refusal:
        failure = str(refusal) or "refused without a word"
    except Exception:
        failure = traceback.format_exc()
    return Outcome(step, time.monotonic() - begin, failure)


def run_steps(steps, report):
    """Runs all steps, the longest first, then those that run alone, and hands each outcome to `report` as it comes."""
    lock = threading.Lock()
    outcomes = []

    def one(step):
        outcome = run_step(step)
        with lock:
            outcomes.append(outcome)
            report(outcome)

    with concurrent.futures.ThreadPoolExecutor(max_workers=(os.cpu_count() or 2) + 1) as pool:
        for future in [pool.submit(one, step) for step in sorted(steps, key=lambda step: -step.seconds) if not step.alone]:
            future.result()
    for step in steps:
        if step.alone:
            one(step)
    return outcomes


def indent(text):
    return "\n".join("     " + line for line in text.rstrip().splitlines())


def print_outcome(outcome):
    word = "FAIL" if outcome.failure else "ok  "
    print(f"{word} {outcome.seconds:6.1f} s  {outcome.step.kind:<24} {outcome.step.where}", flush=True)
    if outcome.failure:
        print(indent(outcome.failure), flush=True)
