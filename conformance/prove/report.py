# The page with the numbers of a run. Written only when it is asked for, because the numbers differ from run to run.
import datetime
import os
import platform

from prove.proof import HERE

PAGE = HERE / "REPORT.md"

HEAD = """# Report

Numbers of one run of `conformance/run --report`, on {date}, on a machine with {cores} cores ({system}), of `blueprint` built for release.
The same steps run in `.ci/run` and fail where a promise is broken; this page is only written when somebody asks for it.

"""

UNPROVEN = """## Not proven

- A power failure: kills end the process, not the machine. What was staged is flushed before the first file is replaced; the replacements
  themselves are not.
- File systems other than tmpfs and the one of the checkout, network file systems among them, and macOS and Windows.
- A person who edits a file in the instant between its last comparison and its replacement.
"""


def write(proof):
    head = HEAD.format(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        cores=os.cpu_count(),
        system=f"{platform.system()} {platform.release()}",
    )
    sections = "".join(f"## {title}\n\n{words}\n\n" for title, words in sorted(proof.reported))
    PAGE.write_text(head + sections + UNPROVEN, encoding="utf-8")
