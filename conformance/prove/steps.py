# A step of the proof, and how steps run in parallel and are reported. Independent of the tools.
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
    kind: str  # what is proven, such as `terraform validate`: the self-test refers to kinds
    where: str  # the part of the tree
    reads: list[pathlib.Path]  # files and folders that are checked; without any, the step fails
    action: typing.Callable[..., object]  # without arguments, raises Failure
    seconds: float = 1  # expected time: the longest steps start first
    alone: bool = False  # measures times, so no other step runs in parallel
    internet: bool = False  # needs more than package registries, so a run with `--offline` skips and lists it
    proves: str = ""  # a text whose proof does not depend on the tree: of several trees with the same text, one runs the step
    slow: bool = False  # skipped in the self-test of a normal run unless a defect expects it

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

    # More than there are processors, because many steps wait for something.
    with concurrent.futures.ThreadPoolExecutor(max_workers=(os.cpu_count() or 2) + 2) as pool:
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
