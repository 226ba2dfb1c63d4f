"""A study that is interrupted, killed, damaged or misused: nothing is lost, nothing is mixed."""

import dataclasses
import json
import multiprocessing as mp
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.fake_results import fake_result, write_results
from helpers.pipes import unread_bytes
from helpers.tiny_pack import write_folder

from graphlift.errors import CheckpointError, FormatError
from graphlift.samples.data_sets import read_data
from graphlift.study.plan import Plan, read_plan
from graphlift.study.results import RESULTS, append_result
from graphlift.study.runner import (
    Finished,
    Moved,
    Started,
    _next_event,
    missing_runs,
    other_results,
    run_study,
    train_and_score,
)
from graphlift.training.state import CHECKPOINT, MODEL

PLAN = """
methods = ["full-sharing", "martinez"]
channels = [4]
[recipe]
steps = 200
batch_size = 8
evaluate_every = 40
tensorboard = false
model.blocks = 1
"""
TIMING = {"seconds", "poses_per_second", "runs_at_once"}
INTERRUPTED = "graphlift: interrupted; run the same command again to go on\n"
PATIENCE = 600.0  # seconds until a test gives up; none depends on speed

QUICK = Plan(
    methods=("martinez",),
    channels=(4,),
    recipe={"steps": 4, "batch_size": 8, "tensorboard": False, "model": {"blocks": 1}},
)


@pytest.fixture(scope="module")
def whole(plan, pack, tmp_path_factory):
    """The study of an undisturbed user, and what the command said."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    process = start(plan, pack, folder, at_once=2)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return folder, out, err


def start(plan, pack, folder, at_once=1):
    """Start a study as a shell does: in a process group of its own."""
    command = [sys.executable, "-m", "graphlift", "study", "run", plan]
    return subprocess.Popen(
        [*map(str, command), "--data", str(pack), "--out", str(folder), "--at-once", str(at_once)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(holds, process=None):
    """Wait until something holds; fail if the process ends first, or it takes for ever."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def alive(session):
    """The processes of a session that still run, from /proc; the dead who wait are not counted."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_session) == session and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def go_on(plan, folder, pack, **options):
    runs, _ = missing_runs(plan, folder, data=str(pack))
    return list(run_study(runs, folder, at_once=1, **options))


def keeping(folder):
    """What adds results to a folder, as a study does of its workers'."""

    def keep(event):
        if isinstance(event, Finished):
            append_result(folder / RESULTS, event.result)

    return keep


def lines(folder):
    return [json.loads(line) for line in (folder / RESULTS).read_text().splitlines()]


def by_name(folder):
    return sorted(lines(folder), key=lambda line: line["name"])


def timeless(line):
    curve = [{k: v for k, v in point.items() if k != "seconds"} for point in line["curve"]]
    same = {k: v for k, v in line.items() if k not in TIMING}
    return same | {"curve": curve, "config": line["config"] | {"data": None}}


def ends(folder):
    return [timeless(line) for line in by_name(folder)]


def test_a_study_leaves_one_line_a_run_and_prints_where(whole):
    folder, out, err = whole

    assert out == f"{folder}\n"
    assert err == ""
    assert [(line["name"], line["method"], line["steps"]) for line in by_name(folder)] == [
        ("full-sharing-4_gt_seed0", "full-sharing", 200),
        ("martinez-4_gt_seed0", "martinez", 200),
    ]
    assert {line["runs_at_once"] for line in lines(folder)} == {2}
    assert not list(folder.rglob(CHECKPOINT))


def test_a_finished_study_runs_nothing_again(whole, plan, pack):
    folder, _, _ = whole
    before = (folder / RESULTS).read_bytes()

    assert missing_runs(read_plan(str(plan)), folder, data=str(pack)) == ([], None)
    assert go_on(read_plan(str(plan)), folder, pack) == []
    assert (folder / RESULTS).read_bytes() == before


def test_an_interrupted_study_says_so_and_ends_as_if_it_had_not_been(whole, plan, pack, tmp_path):
    folder = tmp_path / "study"
    process = start(plan, pack, folder)
    wait_for(lambda: list(folder.glob(f"runs/*/{CHECKPOINT}")), process)

    os.killpg(process.pid, signal.SIGINT)  # as a terminal does

    assert process.communicate(timeout=PATIENCE) == ("", INTERRUPTED)
    assert process.returncode == 130
    wait_for(lambda: not alive(process.pid))
    for run in missing_runs(read_plan(str(plan)), folder, data=str(pack))[0]:
        train_and_score(run, read_data(str(pack)), folder, 1, keeping(folder))  # as a worker does
    assert ends(folder) == ends(whole[0])


def test_a_study_that_is_asked_to_end_saves_too(plan, pack, tmp_path):
    folder = tmp_path / "study"
    process = start(plan, pack, folder)
    wait_for(lambda: list(folder.glob(f"runs/*/{CHECKPOINT}")), process)

    process.terminate()  # the study alone, as a service manager does

    assert process.communicate(timeout=PATIENCE) == ("", INTERRUPTED)
    assert process.returncode == 130
    wait_for(lambda: not alive(process.pid))
    assert list(folder.glob("runs/*/*.safetensors"))


def test_a_study_interrupted_while_it_starts_says_so_too(plan, pack, tmp_path):
    process = start(plan, pack, tmp_path / "study")
    wait_for(lambda: len(alive(process.pid)) > 1, process)  # a helper or worker is there

    os.killpg(process.pid, signal.SIGINT)

    assert process.communicate(timeout=PATIENCE) == ("", INTERRUPTED)
    assert process.returncode == 130
    wait_for(lambda: not alive(process.pid))


def test_the_workers_of_a_killed_study_end_soon_and_save(plan, pack, tmp_path):
    folder = tmp_path / "study"
    process = start(plan, pack, folder)
    wait_for(lambda: list(folder.glob(f"runs/*/{CHECKPOINT}")), process)

    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    wait_for(lambda: not alive(process.pid))
    process.communicate()
    runs, cut = missing_runs(read_plan(str(plan)), folder, data=str(pack))
    assert cut is None
    assert {run.name for run in runs} <= {"full-sharing-4_gt_seed0", "martinez-4_gt_seed0"}
    assert list(folder.glob("runs/*/*.safetensors"))


def test_a_line_that_is_cut_costs_its_run_alone_wherever_the_data_are_now(
    whole, plan, pack, tmp_path
):
    folder = shutil.copytree(whole[0], tmp_path / "study")
    moved = shutil.copytree(pack, tmp_path / "moved")
    data = (folder / RESULTS).read_bytes()
    (folder / RESULTS).write_bytes(data[:-100])
    first, second = data.splitlines(keepends=True)

    runs, cut = missing_runs(read_plan(str(plan)), folder, data=str(moved))

    assert [run.name for run in runs] == [json.loads(second)["name"]]
    assert cut == second[:-100].decode()
    assert (folder / RESULTS).read_bytes() == first
    kinds = [type(event) for event in run_study(runs, folder, at_once=2)]
    assert kinds == [Started, Finished]  # its weights were saved: it is scored, not trained
    assert (folder / RESULTS).read_bytes().startswith(first)
    assert ends(folder) == ends(whole[0])


@pytest.mark.parametrize("damage", [b"{}", b"\xff\xfe\x00", b""])
def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_touched(
    whole, plan, pack, tmp_path, damage
):
    folder = tmp_path / "study"
    folder.mkdir()
    first, second = (whole[0] / RESULTS).read_bytes().splitlines()
    damaged = b"\n".join([first, damage, second]) + b"\n"
    (folder / RESULTS).write_bytes(damaged)

    with pytest.raises(FormatError, match=r"results\.jsonl, line 2: not a result"):
        missing_runs(read_plan(str(plan)), folder, data=str(pack))
    assert (folder / RESULTS).read_bytes() == damaged


def test_results_of_another_configuration_are_refused_by_run_and_key(whole, plan, pack):
    other = read_plan(str(plan))
    other = dataclasses.replace(other, recipe={**other.recipe, "steps": 500})

    with pytest.raises(CheckpointError, match="another steps") as refusal:
        missing_runs(other, whole[0], data=str(pack))
    for part in (f"{whole[0] / RESULTS}: full-sharing-4_gt_seed0", "there 200, here 500", "--out"):
        assert part in str(refusal.value)
    assert str(whole[0] / "runs" / "full-sharing-4_gt_seed0") in str(refusal.value)


def test_results_of_another_objective_or_weight_are_refused(pack, tmp_path):
    critic = dataclasses.replace(QUICK, methods=("critic",))
    (run,) = missing_runs(critic, tmp_path / "none", data=str(pack))[0]
    config = json.loads(json.dumps(dataclasses.asdict(run.config)))
    done = dataclasses.replace(fake_result(), name=run.name, config=config)
    write_results(tmp_path, [done])
    assert missing_runs(critic, tmp_path, data=str(pack)) == ([], None)

    heavier = dataclasses.replace(critic, rows={"critic": {"supervision": {"critic": 0.5}}})
    with pytest.raises(CheckpointError, match=r"another supervision\.critic .*here 0\.5.*--out"):
        missing_runs(heavier, tmp_path, data=str(pack))
    without = dataclasses.replace(critic, methods=("bone-ratios",))
    assert "critic-4_gt_seed0" in other_results(without, tmp_path, data=str(pack))[0]


def test_runs_that_a_changed_plan_has_no_more_are_told_of(whole, plan, pack):
    read = read_plan(str(plan))
    fewer = dataclasses.replace(read, methods=read.methods[:1])

    (note,) = other_results(fewer, whole[0], data=str(pack))

    assert f"{whole[0] / RESULTS}: 1 run is not in this plan (martinez-4_gt_seed0)" in note
    assert "(--out)" in note
    assert other_results(read, whole[0], data=str(pack)) == []
    assert other_results(read, whole[0] / "nowhere", data=str(pack)) == []


def test_runs_of_another_version_are_told_of(whole, plan, pack, tmp_path):
    text = (whole[0] / RESULTS).read_text()
    was = json.loads(text.splitlines()[0])["version"]
    (tmp_path / RESULTS).write_text(text.replace(f'"version":"{was}"', '"version":"0.0.1"', 1))

    (note,) = other_results(read_plan(str(plan)), tmp_path, data=str(pack))

    assert f"{tmp_path / RESULTS}: 1 run is of graphlift 0.0.1, and this is {was}" in note
    assert "(--out)" in note


def test_weights_of_another_configuration_or_other_data_are_refused_before_they_are_scored(
    whole, plan, pack, tmp_path
):
    folder = shutil.copytree(whole[0], tmp_path / "study")
    (folder / RESULTS).unlink()
    ours = read_plan(str(plan))

    faster = dataclasses.replace(ours, recipe={**ours.recipe, "learning_rate": 0.1})
    with pytest.raises(CheckpointError, match=rf"full-sharing-4.*/{MODEL}: .*learning_rate"):
        go_on(faster, folder, pack)
    others = str(write_folder(tmp_path / "others", seed=1))
    run = missing_runs(ours, folder, data=others)[0][0]  # as a worker takes it
    with pytest.raises(CheckpointError, match=rf"{MODEL}: was trained on other data .*others"):
        train_and_score(run, read_data(others), folder, 1, lambda _: None)
    assert not (folder / RESULTS).exists()


def test_results_on_other_data_are_not_added_to(whole, plan, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "study")
    others = write_folder(tmp_path / "others", seed=1)
    more = dataclasses.replace(read_plan(str(plan)), seeds=(0, 1))

    with pytest.raises(CheckpointError, match=rf"{RESULTS}: .*_seed0: was trained on other data"):
        go_on(more, folder, others)
    assert (folder / RESULTS).read_bytes() == (whole[0] / RESULTS).read_bytes()


def test_a_worker_that_somebody_ends_is_told_of_and_the_others_stop(pack, tmp_path):
    long = dataclasses.replace(QUICK, recipe={**QUICK.recipe, "steps": 10**7})
    runs, _ = missing_runs(long, tmp_path, data=str(pack))

    with pytest.raises(ChildProcessError, match=r"ended with status .*run the study again"):  # noqa: PT012
        for event in run_study(runs, tmp_path, at_once=1):
            if isinstance(event, Moved):
                for worker in mp.active_children():
                    os.kill(worker.pid, signal.SIGTERM)
    assert not mp.active_children()
    missing_runs(long, tmp_path, data=str(pack))  # the folder is free again


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_a_worker_killed_in_the_midst_of_an_event_loses_that_run_alone(pack, tmp_path):
    quick = dataclasses.replace(QUICK, seeds=(0, 1))
    first, second = missing_runs(quick, tmp_path, data=str(pack))[0]
    telling = dataclasses.replace(second, name="x" * 10**7)  # more than a pipe holds
    study = run_study([first, telling], tmp_path, at_once=1)
    while not isinstance(next(study), Finished):
        pass
    wait_for(lambda: max(unread_bytes()) >= 4096)  # of the event that its second run begins
    (worker,) = mp.active_children()

    os.kill(worker.pid, signal.SIGKILL)

    with pytest.raises(ChildProcessError, match=r"ended with status -9 .*run the study again"):
        next(study)
    assert not mp.active_children()
    assert missing_runs(quick, tmp_path, data=str(pack)) == ([second], None)


def test_a_worker_that_ends_is_told_of_even_if_its_end_of_the_pipe_is_held():
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=os._exit, args=(3,))
    worker.start()
    theirs.send(Started("its last word"))
    pipes = {ours: worker}
    worker.join()

    assert _next_event(pipes) == Started("its last word")
    with pytest.raises(ChildProcessError, match="ended with status 3"):
        _next_event(pipes)
    assert ours.closed
    assert not pipes


def test_results_on_another_second_data_set_are_not_added_to(whole, plan, pack, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "study")
    others = shutil.copytree(pack, tmp_path / "others")
    shutil.copy(write_folder(tmp_path / "more", seed=1) / "hdm05.npz", others)
    more = dataclasses.replace(read_plan(str(plan)), seeds=(0, 1))
    before = lines(folder)[0]["cross_digest"][:12]

    with pytest.raises(CheckpointError, match=rf"_seed0: was scored on .*{before}.*others"):
        go_on(more, folder, others)
    (others / "hdm05.npz").unlink()
    with pytest.raises(CheckpointError, match=rf"_seed0: was scored on .*{before}.*none"):
        go_on(more, folder, others)
    assert lines(folder) == lines(whole[0])


def test_a_damaged_line_may_be_deleted_and_its_run_is_done_again(whole, plan, pack, tmp_path):
    first, second = (whole[0] / RESULTS).read_bytes().splitlines(keepends=True)
    (tmp_path / RESULTS).write_bytes(b"{}\n" + second)
    with pytest.raises(FormatError, match="delete line 1 and `graphlift study run` scores its"):
        missing_runs(read_plan(str(plan)), tmp_path, data=str(pack))

    (tmp_path / RESULTS).write_bytes(second)

    runs, cut = missing_runs(read_plan(str(plan)), tmp_path, data=str(pack))
    assert ([run.name for run in runs], cut) == ([json.loads(first)["name"]], None)
