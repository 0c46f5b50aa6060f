# What a render leaves behind when it is killed, when the disk is full, when parts of it are read-only, and when two renders meet. The
# numbers are written into the report of the run. Not what is rendered.
import functools
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
import tomllib

from prove.blueprints import binary
from prove.proof import HERE
from prove.steps import Failure, Step

KILLS, PAIRS, SIZES = 1000, 100, 40
MINIMAL = HERE.parent / "blueprints" / "minimal.toml"
# Each changes files, adds some and deletes some of the others.
CHANGES = {
    "first": "",
    "second": "port = 9000\n\n[components.monitoring]\nenabled = true\n",
    "third": 'replicas = { min = 4, max = 8 }\n\n[environments.staging]\naws.account = "444455556666"\n\n[environments.production]\n',
}
# As root, a folder without permission to write is writable: this user is not.
NOBODY = 65534


def steps(proof):
    reads = [MINIMAL, HERE.parent / "src"]
    for kind, action, seconds in (
        ("render killed", killed, 120),
        ("render on a full disk", full, 30),
        ("render into read-only folders", read_only, 30),
        ("renders at once", at_once, 30),
    ):
        yield Step(
            kind, "blueprints/minimal.toml", reads, functools.partial(action, proof, Renders(proof)), seconds=seconds, slow=True
        )


class Renders:
    """The three blueprints, and what a fresh render of each is. In memory where there is such a folder, because 1,000 kills should not wait
    for a disk."""

    def __init__(self, proof):
        self.proof = proof
        self.blueprints, self.fresh, self.seeded = {}, {}, set()

    def prepare(self):
        memory = pathlib.Path("/dev/shm")
        self.folder = pathlib.Path(
            tempfile.mkdtemp(prefix="renders-", dir=memory if os.access(memory, os.W_OK) else self.proof.scratch)
        )
        self.folder.chmod(0o755)
        self.program = self.folder / "blueprint"
        # By another process: a program that this one holds open for writing, and with it any process that is started meanwhile, cannot
        # be executed.
        self.proof.run(["cp", binary(), self.program])
        for name, more in CHANGES.items():
            self.blueprints[name] = self.folder / f"{name}.toml"
            self.blueprints[name].write_text(MINIMAL.read_text(encoding="utf-8") + more, encoding="utf-8")
            self.fresh[name] = self.folder / f"fresh-{name}"
            self.succeed("render", name, self.fresh[name])
            for lock in self.fresh[name].glob("*/.blueprint.lock"):
                entries = tomllib.loads(lock.read_text(encoding="utf-8"))["files"].items()
                self.seeded |= {f"{lock.parent.name}/{path}" for path, entry in entries if entry["owner"] == "seeded"}
        return self

    def different(self, name, out):
        """The managed files that differ from a fresh render."""
        wanted, found = files(self.fresh[name], self.seeded), files(out, self.seeded)
        return sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, verb, name, out):
        return [str(self.program), verb, str(self.blueprints[name]), "--out", str(out)]

    def run(self, verb, name, out, **options):
        return subprocess.run(self.command(verb, name, out), capture_output=True, text=True, timeout=300, check=False, **options)

    def succeed(self, verb, name, out, **options):
        done = self.run(verb, name, out, **options)
        if done.returncode != 0:
            raise Failure(f"`blueprint {verb}` of the {name} blueprint ended with code {done.returncode}\n{done.stderr[-3000:]}")

    def same(self, name, out):
        """Whether a folder is exactly what a fresh render is, but for what was there before."""
        differences = self.different(name, out)
        if differences:
            raise Failure(f"after all renders, it is not what the {name} blueprint renders: {', '.join(differences[:5])}")


def files(out, seeded):
    """The managed files of a folder. What was seeded once belongs to people, with its line of the lock."""
    found = {}
    for path in out.rglob("*"):
        name = path.relative_to(out).as_posix()
        if path.is_dir() or name in seeded or path.name == "mine.txt":
            continue
        found[name] = path.read_bytes()
        if path.name == ".blueprint.lock":
            found[name] = b"".join(line for line in found[name].splitlines(keepends=True) if b'owner = "seeded"' not in line)
    return found


def killed(proof, renders):
    """A render that is killed at any instant is finished by the next one, of the same or of another blueprint, and nobody's file is lost."""
    renders.prepare()
    try:
        seed = int.from_bytes(os.urandom(4), "big")
        chance = random.Random(seed)
        out = renders.folder / "killed"
        shutil.copytree(renders.fresh["first"], out)
        (out / "shop" / "mine.txt").write_text("mine\n", encoding="utf-8")
        times = []
        for name in ("second", "third", "first") * 2:
            begin = time.monotonic()
            renders.succeed("render", name, out)
            times.append(time.monotonic() - begin)
        longest, now = statistics.median(times) * 1.2, "first"
        interrupted = writing = 0
        new = [out / repository / ".blueprint" / "new" for repository in sorted(os.listdir(out))]
        for number in range(KILLS):
            name = chance.choice([other for other in CHANGES if other != now])
            process = subprocess.Popen(renders.command("render", name, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # Writing takes a small part of the time, so every second kill waits for it.
            if number % 2:
                while process.poll() is None and not any(os.path.exists(path) for path in new):
                    pass
                time.sleep(chance.uniform(0, longest / 15))
            else:
                time.sleep(chance.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
            interrupted += process.wait() == -signal.SIGKILL
            writing += any(os.path.exists(path) for path in new)
            now = name if number % 4 < 2 else chance.choice(list(CHANGES))
            renders.succeed("render", now, out)
            try:
                renders.same(now, out)
            except Failure as failure:
                raise Failure(f"kill {number} with seed {seed}: {failure}") from None
            if (out / "shop" / "mine.txt").read_text(encoding="utf-8") != "mine\n":
                raise Failure(f"kill {number} with seed {seed}: the file of a person changed")
        # Otherwise the kills came too late or too early to prove anything.
        if interrupted < KILLS // 3 or writing < KILLS // 20:
            raise Failure(f"of {KILLS} kills only {interrupted} met a running render, and {writing} one that was writing")
        proof.report(
            "Kills",
            f"{KILLS} kills at random instants: {interrupted} met a running render, {writing} of them while it was writing. Each next render, in half of the cases of another blueprint, succeeded and gave exactly a fresh render's files; the file of a person stayed.",
        )
    finally:
        renders.close()


def full(proof, renders):
    """On a full disk nothing is changed, or the next render with more space finishes."""
    renders.prepare()
    disk = renders.folder / "disk"
    disk.mkdir()
    try:
        proof.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk])
        try:
            used = size(renders.fresh["first"])
            refused = untouched = 0
            for number in range(SIZES):
                out = disk / "out"
                proof.run(["mount", "-o", "remount,size=64m", disk])
                shutil.rmtree(out, ignore_errors=True)
                shutil.copytree(renders.fresh["first"], out)
                proof.run(["mount", "-o", f"remount,size={used + 8192 + number * used // SIZES}", disk])
                done = renders.run("render", "second", out)
                if done.returncode not in (0, 2):
                    raise Failure(f"with a full disk it ended with code {done.returncode}\n{done.stderr[-2000:]}")
                refused += done.returncode == 2
                if done.returncode == 2:
                    for new in out.glob("*/.blueprint"):
                        shutil.rmtree(new)
                    untouched += not renders.different("first", out)
                proof.run(["mount", "-o", "remount,size=64m", disk])
                renders.succeed("render", "second", out)
                renders.same("second", out)
        finally:
            proof.run(["umount", disk])
    finally:
        renders.close()
    if refused < SIZES // 4 or refused != untouched:
        raise Failure(f"of {SIZES} sizes {refused} were too small, and only in {untouched} of these nothing had changed")
    proof.report(
        "Full disk",
        f"{SIZES} sizes of a disk: {refused} were too small, and in all of these no file had changed. With more space the next render finished.",
    )


def size(folder):
    """Bytes on a tmpfs: whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def read_only(proof, renders):
    """A folder that cannot be written to stops a render before anything is changed."""
    renders.prepare()
    try:
        as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        folders = sorted(path.relative_to(renders.fresh["first"]) for path in renders.fresh["first"].rglob("*") if path.is_dir())
        refused = 0
        for folder in folders:
            out = renders.folder / "read-only"
            shutil.copytree(renders.fresh["first"], out)
            if as_nobody:
                for path in [out, *out.rglob("*")]:
                    os.chown(path, NOBODY, NOBODY)
            (out / folder).chmod(0o555)
            done = renders.run("render", "second", out, **as_nobody)
            (out / folder).chmod(0o755)
            if done.returncode == 2:
                refused += 1
                for new in out.glob("*/.blueprint"):
                    shutil.rmtree(new)
                changed = renders.different("first", out)
                if changed:
                    raise Failure(f"`{folder}` was read-only, and yet these changed: {', '.join(changed[:5])}")
            elif done.returncode != 0:
                raise Failure(f"`{folder}` was read-only, and the render ended with code {done.returncode}\n{done.stderr[-2000:]}")
            renders.succeed("render", "second", out, **as_nobody)
            renders.same("second", out)
            shutil.rmtree(out)
    finally:
        renders.close()
    if refused < 5:
        raise Failure(f"of {len(folders)} read-only folders only {refused} stopped a render")
    proof.report(
        "Read-only folders",
        f"{len(folders)} folders in turn: {refused} stopped a render, and then no file had changed; the others held nothing that this render changes.",
    )


def at_once(proof, renders):
    """Two renders at once never mix."""
    renders.prepare()
    try:
        out, won = renders.folder / "at-once", {"second": 0, "third": 0}
        shutil.copytree(renders.fresh["first"], out)
        for number in range(PAIRS):
            names = ["second", "third"] if number % 2 else ["third", "second"]
            pair = [
                subprocess.Popen(renders.command("render", name, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                for name in names
            ]
            for name, process in zip(names, pair, strict=True):
                _, words = process.communicate(timeout=300)
                if process.returncode != 0:
                    raise Failure(
                        f"pair {number}: the render of the {name} blueprint ended with code {process.returncode}\n{words[-2000:]}"
                    )
            last = next((name for name in won if not renders.different(name, out)), None)
            if not last:
                raise Failure(f"pair {number}: the folder is neither what the one nor what the other renders")
            won[last] += 1
    finally:
        renders.close()
    proof.report(
        "Two renders at once",
        f"{PAIRS} pairs: the folder was always exactly what one of them renders, {won['second']} times the one and {won['third']} times the other.",
    )
