"""The pipes of this process, from /proc."""

import sys
from pathlib import Path


def unread_bytes():
    """How much nobody has read yet, of each pipe that this process holds; Linux alone says so."""
    import fcntl
    import termios

    counts = []
    for link in Path("/proc/self/fd").glob("*"):
        try:
            if str(link.readlink()).startswith("pipe:"):
                held = fcntl.ioctl(int(link.name), termios.FIONREAD, bytes(4))
                counts.append(int.from_bytes(held, sys.byteorder))
        except FileNotFoundError:  # closed meanwhile, as what listed them
            continue
    return counts
