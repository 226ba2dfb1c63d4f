"""Model cards: a model's inputs and outputs, how it was trained, and what it scored.

A card is stored inside the model's file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from graphlift.errors import FormatError
from graphlift.plain_json import json_as, parse_json
from graphlift.words import problems, shown

CMU = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created "
    "with funding from NSF EIA-0196217."
)
"""The acknowledgement that the CMU Graphics Lab motion capture database asks for."""

INPUTS = {
    "screen": "x, y in the image, in units of half its width, from its middle "
    "(graphlift.cameras.image_to_screen)",
    "canonical": "x, y in a virtual camera aimed at the person, in units of the person's size, "
    "and confidence; 0, 0, 0 for a missing joint (graphlift.preprocessing)",
    "canonical-28": "as canonical, and 1 where the joint is seen",
}
OUTPUTS = {
    "screen": "root-relative position, m, axes of the camera",
    "canonical": "root-relative position, m, axes of the virtual camera; logarithm of its sigma, "
    "m",
    "canonical-28": "root-relative position, m, axes of the virtual camera; logarithm of its "
    "sigma, m; in seven joints the front of a segment, and the logarithm of its scale, rad",
}


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a user must know of a model: how to use it, and what it can and cannot do.

    Args:
        name: Of the model.
        skeleton: Joint order of inputs and outputs.
        inputs: A key of :data:`INPUTS`.
        method: How it shares weights.
        parameters: Learnt numbers.
        sigma_scale: What the network's sigma is multiplied by; fitted on validation subjects.
        front_scale: From the scales of fronts to their standard deviations; √3 by the density that
            networks learn, fitted on validation subjects.
        size_sigma: How far people's sizes are from those that the model gives them, as a share:
            :attr:`graphlift.sequences.Poses.size_sigma`; fitted on validation subjects. Cards
            that do not state it are of models for adults (``graphlift.motion.bones.SIZES``).
        recipe: The configuration it was trained with.
        data: What it was trained on.
        data_digest: SHA-256 of that.
        arithmetic: Of the products inside: float32, or int8 (:mod:`graphlift.quantisation`).
        licence: Of the weights.
        acknowledgement: What the data's owners ask to be stated.
        metrics: What it scored; each entry names its protocol.
        limits: What it is not good at.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    name: str
    skeleton: str
    inputs: str
    method: str
    parameters: int
    sigma_scale: float = 1.0
    front_scale: float = 1.0
    size_sigma: float = 0.07
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: str = ""
    data_digest: str = ""
    arithmetic: str = "float32"
    licence: str = "Apache-2.0"
    acknowledgement: str = ""
    metrics: tuple[Mapping[str, Any], ...] = ()
    limits: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The card as JSON."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """The card as Markdown, for people."""
        facts = {
            "skeleton": self.skeleton,
            "method": f"{self.method}, {self.parameters:,} parameters",
            "computes": f"products in {self.arithmetic}",
            "takes": INPUTS[self.inputs],
            "gives": OUTPUTS[self.inputs],
            "sizes": f"uncertain by {100 * self.size_sigma:.2g} % (standard deviation)",
            "trained on": f"{self.data} (SHA-256 {self.data_digest[:12]})",
            "licence": self.licence,
        }
        if self.inputs == "screen":  # no person's size was compared with a true one
            del facts["sizes"]
        lines = [f"# {self.name}", "", *(f"- **{key}**: {text}" for key, text in facts.items())]
        lines += ["", self.acknowledgement, "", "Limits:", "", *(f"- {x}" for x in self.limits)]
        lines += ["", "Scores:", "", *(_row(row) for row in self.metrics)]
        return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> str:
    numbers = {k: v for k, v in row.items() if k not in ("on", "protocol")}
    scores = ", ".join(f"{k} {v}" for k, v in numbers.items())
    return f"- {row.get('on', '')}, {row.get('protocol', '')}: {scores}"


def read_card(text: str, where: str) -> ModelCard:
    """Read a card from JSON.

    Args:
        text: The card.
        where: What to call the file in an error.

    Raises:
        FormatError: If it is no card, or describes inputs that this version does not know.
    """
    from pydantic import ValidationError

    try:
        parse_json(text)
        card = json_as(ModelCard, text)
    except ValidationError as error:
        wrong = problems(error, "card")
        raise FormatError(f"{where}: its model card is not one of graphlift's: {wrong}") from error
    except ValueError as error:
        raise FormatError(
            f"{where}: its model card is not one of graphlift's: {error}: export it again"
        ) from error
    if not 0 < card.size_sigma <= 1:
        raise FormatError(
            f"{where}: its model card states a size_sigma of {card.size_sigma:g}: it is a share "
            "between 0 and 1, such as 0.07: export it again"
        )
    if card.inputs not in INPUTS:
        raise FormatError(
            f"{where}: the model expects {shown(card.inputs)} inputs, this version knows "
            f"{', '.join(INPUTS)}: install a newer graphlift, or use another model"
        )
    return card
