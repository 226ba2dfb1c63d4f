"""Words for a terminal, whatever the files hold that they come from."""

from collections.abc import Sequence


def listed(names: Sequence[str]) -> str:
    """List some names, and say how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(map(one_line, names[:5]))}{more}"


def one_line(text: object) -> str:
    """Put text on one line, without the characters that steer a terminal."""
    shown = "".join(c if c.isprintable() or c.isspace() else "?" for c in str(text))
    return " ".join(shown.split())
