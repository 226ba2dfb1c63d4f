"""Check a run against its data before the first step. Without torch."""

from graphlift.errors import ConfigError
from graphlift.protocols import PairedData
from graphlift.simulated_detector import check_simulated
from graphlift.training.config import TrainConfig


def check_fit(config: TrainConfig, packs: PairedData | None) -> None:
    """Refuse data that a run cannot be trained or scored on.

    Args:
        config: The run.
        packs: What it is to be trained on; None for motion capture.

    Raises:
        ConfigError: If cameras, detections, joints or held-out subjects are not those of the data.
        DatasetNotFoundError: As :meth:`graphlift.protocols.PairedData.check`.
        FormatError: As there.
    """
    if (packs is not None) != (config.cameras == "own"):
        has = "are packs" if packs is not None else "are motion capture"
        raise ConfigError(
            f"cameras = {config.cameras!r}, but the data ({config.data}) {has}: packs go with "
            '"own" cameras, motion capture with "open" or "random"'
        )
    if packs is not None:
        packs.check(config.detections, config.model.joints, config.held_out)
    else:
        check_simulated(config.detections)
