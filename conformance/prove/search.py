# A search that must succeed: the error names the pattern, instead of a traceback.
import re

from prove.steps import Failure


def must_find(pattern: str, text: str, flags: int = 0) -> re.Match[str]:
    found = re.search(pattern, text, flags)
    if not found:
        raise Failure(f"`{pattern}` matches nothing in:\n{text[:2000]}")
    return found
