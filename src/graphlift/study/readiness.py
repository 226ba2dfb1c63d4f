"""Check every run of a study against its data before the first is trained. Without torch."""

from collections.abc import Iterator, Sequence

from graphlift.protocols import PairedData, is_pack, read_data, share_out
from graphlift.skeletons import H36M_16
from graphlift.study.plan import PlannedRun
from graphlift.training.config import check_joints
from graphlift.training.fitting import check_fit


def check_runs(runs: Sequence[PlannedRun]) -> Iterator[str]:
    """Refuse a study of which a run could not be trained or scored; say what its scores will lack.

    Yields:
        One sentence each, for whoever starts the study.

    Raises:
        ConfigError: If a run and the data do not fit each other.
        DatasetNotFoundError: If the data, or somebody who is trained on or tested, are not there.
        FormatError: If a file is damaged, or detections that a run needs lack a joint.
    """
    packs: dict[str, PairedData | None] = {}
    checked: set[tuple[object, ...]] = set()
    for run in runs:
        config = run.config
        asked = (
            *(config.data, config.cameras, config.detections, config.model, config.held_out),
            run.adaptations,
        )
        if asked in checked:
            continue
        checked.add(asked)
        source = config.data
        if source not in packs:
            data = read_data(source) if is_pack(source) else None
            packs[source] = data if isinstance(data, PairedData) else None
        pack = packs[source]
        check_fit(config, pack)
        if pack is None:
            check_joints(config.model, len(H36M_16), run.name)
        names = ("open-16", "cross-14") if pack is None else pack.scored_by(config.model.joints)
        share_out(run.adaptations, names)
    for source, pack in packs.items():
        if pack is not None and pack.missing:
            yield (
                f"{source}: no test sequence of {', '.join(pack.missing)}: the scores compare "
                "with no published ones"
            )
