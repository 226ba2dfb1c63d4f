"""Words for a terminal, whatever the files hold that they come from."""


def one_line(text: object) -> str:
    """Put text on one line, without the characters that steer a terminal."""
    shown = "".join(c if c.isprintable() or c.isspace() else "?" for c in str(text))
    return " ".join(shown.split())
