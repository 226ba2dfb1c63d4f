"""A trained network and data -> its result line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graphlift.protocols import ROOT_IN_PLACE, root_in_place
from graphlift.samples import TrainingData
from graphlift.simulated_detector import Detections
from graphlift.study.results import Result


def evaluate_model(
    model: Path,
    data: TrainingData,
    *,
    name: str,
    detections: Detections | None = None,
    runs_at_once: int = 1,
    adaptations: Sequence[str] = (),
) -> Result:
    """Score trained weights on the test subjects and on the other data set.

    On the device of the training where it is available, else on the processor.

    Args:
        model: ``model.safetensors`` of a run.
        data: With the test subjects.
        name: What to call the result.
        detections: What the network is to see; what it was trained on when left out.
        runs_at_once: How many runs shared the machine while it was trained.
        adaptations: Deviations from the protocols by name; for packs only.

    Raises:
        CheckpointError: If the file is damaged or holds another network than it says.
        ConfigError: If the network takes other joints than the data has, or none of the protocols
            takes an adaptation.
    """
    import torch

    from graphlift.study.scoring import score_run
    from graphlift.training.checkpoints import load_run
    from graphlift.training.devices import is_there
    from graphlift.training.evaluation import lift, lift_hypotheses, predict

    network, config, record = load_run(model, ("curve", "best_step", "seconds"))
    torch.set_num_threads(config.threads)
    network.to(config.device if is_there(config.device) else "cpu")
    return score_run(
        name,
        replace(config, detections=detections or config.detections),
        data,
        lambda samples: predict(network, samples),
        record=record,
        runs_at_once=runs_at_once,
        adaptations=adaptations,
        hypotheses=(
            (lambda samples: lift_hypotheses(network, samples))
            if config.model.method == "mixture"
            else None
        ),
        on_test=(
            (lambda test: root_in_place(lift(network, test), test.skeleton.root))
            if ROOT_IN_PLACE in adaptations
            else None
        ),
    )
