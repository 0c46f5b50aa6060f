"""Proves a Flux repository on a real control plane. README.md describes what this proves.

  run check DIR PATH [--infrastructure DIR] [SCENARIO…]    up, sync, prove, down; what the proof calls
  run check DIR PATH --without-person [SCENARIO…]          the same, without what a person must put
  run up [--nodes m6i.large=3] [--region eu-central-1]
  run sync DIR PATH [--infrastructure DIR] [--charts DIR] [--before FILE]…
  run prove [SCENARIO…]                                    after sync
  run kubectl …                                            kubectl against the running cluster
  run load NAMESPACE/POD-PREFIX FRACTION                   sets the pretended usage (fraction of requests)
  run down [--keep-logs]
  run selftest [--short] [NAME…]
  run install [--where]                                    builds the programs, prints their folder

Without scenarios all are run and those without a subject left out; a named one must have its subject.
Exit codes: 0 all well; 1 something failed; 2 wrong use.
"""

import argparse
import os
import pathlib
import sys

from live import cluster, nodes, programs, scenarios, selftest, sync
from live.scenarios.observing import set_load


def main():
    options = arguments().parse_args()
    unknown = set(getattr(options, "scenarios", [])) - set(scenarios.ALL)
    if unknown:
        raise SystemExit(f"live: there is no scenario {', '.join(sorted(unknown))}; there are {', '.join(scenarios.ALL)}")
    work = options.work.resolve()
    if options.command == "install":
        print(programs.folder() if options.where else programs.install())
    elif options.command == "up":
        up(work, options)
        print(f"export KUBECONFIG={work}/kubeconfig")
    elif options.command == "down":
        cluster.down(work, options.keep_logs)
    elif options.command == "kubectl":
        live = cluster.Cluster(work)
        os.execv(live.bin / "kubectl", ["kubectl", "--kubeconfig", str(work / "kubeconfig"), *options.arguments])
    elif options.command == "load":
        set_load(cluster.Cluster(work), {options.what: options.fraction})
    elif options.command == "sync":
        return 0 if carry_out(cluster.Cluster(work), options) else 1
    elif options.command == "prove":
        live = cluster.Cluster(work)
        every = scenarios.UNATTENDED if live.read("waiting.json") else scenarios.ATTENDED
        return 0 if scenarios.prove(live, options.scenarios, every) else 1
    elif options.command == "check":
        try:
            live = up(work, options)
            carry_out(live, options)
            every = scenarios.UNATTENDED if options.without_person else scenarios.ATTENDED
            return 0 if scenarios.prove(live, options.scenarios, every) else 1
        finally:
            if not options.keep:
                cluster.down(work, options.keep_logs)
    elif options.command == "selftest":
        return 0 if selftest.selftest(work, options.nodes or "m6i.large=3", options.region, options.names, options.short) else 1
    return 0


def up(work, options):
    wanted, region = options.nodes, options.region
    if getattr(options, "infrastructure", None) and not wanted:
        wanted, region = nodes.of_infrastructure(options.infrastructure, options.path.strip("./").rsplit("/", 1)[-1])
    return cluster.up(work, wanted or "m6i.large=3", region)


def carry_out(live, options):
    return sync.sync(
        live,
        options.folder,
        options.path,
        options.infrastructure,
        options.charts,
        options.before,
        options.timeout,
        not options.without_person,
    )


def arguments():
    parser = argparse.ArgumentParser(
        prog="conformance/live/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=pathlib.Path, default=cluster.default_work(), help="work folder (default %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    names = ("up", "sync", "prove", "check", "kubectl", "load", "down", "selftest", "install")
    here = {name: commands.add_parser(name) for name in names}
    for name in ("up", "check", "selftest"):
        here[name].add_argument(
            "--nodes", help="TYPE=COUNT[:NODE-GROUP],… (default: what the infrastructure begins with, or m6i.large=3)"
        )
        here[name].add_argument("--region", default="eu-central-1")
    for name in ("sync", "check"):
        here[name].add_argument("folder", type=pathlib.Path)
        here[name].add_argument("path")
        here[name].add_argument("--infrastructure", type=pathlib.Path, help="the rendered infrastructure repository")
        here[name].add_argument("--without-person", action="store_true", help="no parameter that a person puts is there")
        here[name].add_argument("--charts", type=pathlib.Path, help="folder of real charts (.tgz or unpacked)")
        here[name].add_argument(
            "--before", type=pathlib.Path, action="append", default=[], help="a manifest that is there before Flux"
        )
        here[name].add_argument("--timeout", type=int, default=1800, help="seconds until what is not Ready counts as failed")
    for name in ("prove", "check"):
        here[name].add_argument("scenarios", nargs="*", metavar="SCENARIO")
    here["check"].add_argument("--keep", action="store_true", help="leave the cluster running")
    for name in ("check", "down"):
        here[name].add_argument("--keep-logs", action="store_true", help="leave the work folder")
    here["kubectl"].add_argument("arguments", nargs=argparse.REMAINDER)
    here["load"].add_argument("what")
    here["load"].add_argument("fraction", type=float)
    here["selftest"].add_argument("--short", action="store_true", help="only the cases of the gate")
    here["selftest"].add_argument("names", nargs="*")
    here["install"].add_argument("--where", action="store_true", help="builds nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
