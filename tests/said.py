"""What a command says on stderr, but for what it says once on every machine, and where it takes long."""

import re

# A kernel that is made; and how far work is that has taken half a minute, as it may where kernels are made.
SAID_WHERE_IT_TAKES_LONG = re.compile(r".*\(once per machine\)\s*|[\w: -]+: \d+( of \d+)? .*\d:\d\d:\d\d gone.*\s*")


def said(text):
    """The lines that are neither."""
    return "".join(line for line in text.splitlines(keepends=True) if not SAID_WHERE_IT_TAKES_LONG.fullmatch(line))
