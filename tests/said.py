"""What a command says on stderr, but for what it says once on every machine."""


def said(text):
    """The lines that are not about a kernel that is made."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.rstrip().endswith("(once per machine)"))
