"""Files of models: those that ship, by name, and any .onnx; which of them lifting takes."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from graphlift.card import ModelCard, read_card
from graphlift.errors import FormatError, ModelError
from graphlift.files import container
from graphlift.onnx_session import open_session
from graphlift.skeletons import BODY_28, H36M_17
from graphlift.words import listed, plain, shown

SHIPPED = ("open-base", "open-small")
EARLIER = {"open-pre-agg": "open-pre-agg.onnx", "open-small-1": "open-small-1.onnx"}
"""Models of the first generation, of 17 joints: files of ``recipes/weights`` in the repository."""


SEAL = {"sha256": "0" * 64}
"""Metadata of a model that :func:`sealed` fills in."""
_SEAL = re.compile(rb"\x0a\x06sha256\x12\x40([0-9a-f]{64})")
"""How an .onnx stores it: key and value, each after its length."""


def sealed(content: bytes) -> bytes:
    """Write into an .onnx that has :data:`SEAL` the SHA-256 of all of it, with zeros in its place.

    So a file that was changed later, even by a bit of a weight, can be told from one that was not.
    """
    *_, place = _SEAL.finditer(content)
    return content[: place.start(1)] + _digest(content, place) + content[place.end(1) :]


def check_seal(content: bytes, where: str) -> None:
    """Compare an .onnx with its seal; files of earlier versions have none.

    Raises:
        FormatError: If it is not what was written.
    """
    places = list(_SEAL.finditer(content))
    if places and places[-1][1] != _digest(content, places[-1]):
        raise FormatError(
            f"{where}: damaged: it does not hold what was written to it; copy or export it again"
        )


def _digest(content: bytes, place: re.Match[bytes]) -> bytes:
    state = hashlib.sha256(content[: place.start(1)])
    state.update(b"0" * 64)
    state.update(content[place.end(1) :])
    return state.hexdigest().encode()


def read_model(model: str | Path) -> tuple[bytes, str]:
    """Read a shipped model by its name, or an .onnx file; return its bytes and what to call it.

    Raises:
        FileNotFoundError: If there is neither a model nor a file of that name.
        FormatError: If the file was changed since it was written.
    """
    if str(model) in SHIPPED:
        where = f"{model}.onnx"
        return (resources.files("graphlift") / "models" / where).read_bytes(), where
    path = Path(model)
    if str(model) in EARLIER and not path.is_file():
        raise FileNotFoundError(
            f"{model} is of the first generation and no longer in the package: use open-base, or "
            f"take recipes/weights/{EARLIER[str(model)]} from the repository and give its path"
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"no model {str(model)!r}: give one of {', '.join(SHIPPED)}, or the path of an .onnx "
            "file"
        )
    content = path.read_bytes()
    check_seal(content, str(path))
    return content, str(path)


def model_card(model: str | Path) -> ModelCard:
    """Read the card of a shipped model by its name, or of an .onnx file, whatever it takes.

    Raises:
        FileNotFoundError: If there is neither a model nor a file of that name.
        FormatError: If the file is damaged, or not one of graphlift's.
    """
    content, where = read_model(model)
    return card_in(open_session(content, where), where)


def card_in(session: Any, where: str) -> ModelCard:  # noqa: ANN401
    """Read the card that a model's file holds.

    Raises:
        FormatError: If there is none, or it is no card.
    """
    with container(where, "an ONNX model"):  # text that is not UTF-8
        card = session.get_modelmeta().custom_metadata_map.get("card")
    if card is None:
        raise FormatError(f"{where}: holds no model card: export it with graphlift")
    return read_card(card, where)


def fitting(card: ModelCard, session: Any, where: str) -> ModelCard:  # noqa: ANN401
    """Return a card that describes its network; a network may say more than poses.

    Raises:
        ModelError: If it describes another, or one that lifting does not take.
    """
    inputs = "canonical-28" if card.skeleton == BODY_28.name else "canonical"
    body, before, after = (BODY_28, 4, 8) if inputs == "canonical-28" else (H36M_17, 3, 4)
    expected = [("keypoints", [len(body), before])], [("poses", [len(body), after])]
    found = tuple(
        [(each.name, each.shape[1:]) for each in ends]
        for ends in (session.get_inputs(), session.get_outputs()[:1])
    )
    if (card.skeleton, card.inputs) != (body.name, inputs) or found != expected:
        raise ModelError(
            f"{where}: its card says {plain(card.skeleton)} with {card.inputs} inputs, its "
            f"network takes {_ends(found[0])} and gives {_ends(found[1])}; lifting needs "
            f"{body.name}, {_ends(expected[0])} and {_ends(expected[1])}: train with "
            f'model.joints = {len(body)}, inputs = "canonical" and sigma = true'
        )
    return card


def _ends(ends: Iterable[tuple[str, Sequence[object]]]) -> str:
    """Write inputs or outputs of a network by name and shape, without frames."""
    return listed([f"{plain(name, 40)} {shown([*shape])}" for name, shape in ends], most=4)
