"""What this machine lacks to find people in pictures, and the commands that get it."""

from importlib.util import find_spec

from graphlift.detector_weights.get import has_weights

_DETECTORS = {"one": ("blazepose",), "several": ("blazepose", "movenet")}
"""Whose weights are needed to find one person, or several."""


def wanted_commands() -> dict[str, str]:
    """List commands by what needs them, ``one`` person or ``several``; what is there is left out.

    Nothing is fetched here: whoever runs the server decides what it loads from elsewhere.
    """
    lines = {
        who: [f"graphlift model get {each}" for each in names if not has_weights(each)]
        for who, names in _DETECTORS.items()
    }
    if find_spec("cv2") is None:
        lines = {who: ["pip install 'graphlift[video]'", *more] for who, more in lines.items()}
    return {who: " && ".join(each) for who, each in lines.items() if each}
