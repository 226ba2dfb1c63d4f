"""Weights are fetched by pip or npm, checked, converted and kept: whole or not at all."""

import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from helpers.tiny_tflite import Step, Tensor, write_tflite

from graphlift.detector_weights import get
from graphlift.detector_weights.get import MODELS, Weights, cache_folder, get_weights
from graphlift.detector_weights.registries import Package, PackageFile, read_files
from graphlift.errors import FormatError, ModelError

TINY = write_tflite(
    [Tensor((1, 2, 2, 3)), Tensor((1, 12))], [Step("RESHAPE", [0, 0], [1])], [0], [1]
)
WHEEL, PACK = "tinypose==1.0", "@tiny/pose@1.0"
NPM = f"""#!{sys.executable}
import pathlib, shutil, sys
assert sys.argv[1] == "pack" and sys.argv[-1] == {PACK!r}
shutil.copy(pathlib.Path(__file__).parent / "tiny.tgz", "tiny-pose-1.0.tgz")
"""


def member(path, data=TINY):
    return PackageFile(path, len(data), hashlib.sha256(data).hexdigest())


IN_NPM = Package(PACK, (member("package/tiny.tflite"),))


def wheel(folder, data=TINY, name="tiny.tflite"):
    """A wheel that pip takes."""
    path = folder / "tinypose-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(name, data)
        info = "tinypose-1.0.dist-info"
        opened.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinypose\nVersion: 1.0\n"
        )
        opened.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        opened.writestr(f"{info}/RECORD", "")
    return path


def pack(folder, data=TINY, name="package/tiny.tflite"):
    """An npm package."""
    path = folder / "tiny.tgz"
    with tarfile.open(path, "w:gz") as opened:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        opened.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    """A model called tiny, an empty cache, pip without an index, no npm."""
    made = Weights(
        "tiny",
        {"pip": Package(WHEEL, (member("tiny.tflite"),)), "npm": IN_NPM},
        {0: "out"},
    )
    monkeypatch.setitem(MODELS, "tiny", (made,))
    monkeypatch.setenv("GRAPHLIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (tmp_path / "links").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    return tmp_path


def kept(folder):
    return sorted(path.name for path in folder.glob("cache/**/*") if path.is_file())


def refused(error, *words, **options):
    with pytest.raises(error) as caught:
        get_weights("tiny", **options)
    assert all(word in str(caught.value) for word in words), caught.value


def test_pip_brings_them_and_the_cache_keeps_them(tiny):
    wheel(tiny / "links")
    said = []

    (path,) = get_weights("tiny", tell=said.append)
    (tiny / "links/tinypose-1.0-py3-none-any.whl").unlink()
    again = get_weights("tiny", tell=said.append)

    image = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    (out,) = onnxruntime.InferenceSession(path).run(None, {"image": image})
    assert (out == image.transpose(0, 2, 3, 1).ravel()).all()
    assert again == [path]
    assert said == ["fetching tinypose==1.0 with pip"]
    assert kept(tiny) == ["tiny.json", "tiny.onnx"]
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["package"] == WHEEL
    assert card["files"] == {"tiny.tflite": hashlib.sha256(TINY).hexdigest()}
    assert card["licence"] == "Apache-2.0"


@pytest.mark.parametrize("spoil", ["cut", "card", "converter"])
def test_a_damaged_or_older_copy_is_made_again(tiny, spoil, monkeypatch):
    (path,) = get_weights("tiny", archive=wheel(tiny))
    whole = path.read_bytes()
    if spoil == "cut":
        path.write_bytes(whole[:-1])
    elif spoil == "card":
        path.with_suffix(".json").write_text("[" * 100_000)
    else:
        monkeypatch.setattr(get, "CONVERTER", get.CONVERTER + 1)

    get_weights("tiny", archive=wheel(tiny))

    assert path.read_bytes() == whole


def with_npm(folder, monkeypatch):
    tools = folder / "tools"
    tools.mkdir()
    (tools / "npm").write_text(NPM)
    (tools / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    return tools


def test_npm_brings_them_where_pip_cannot(tiny, monkeypatch):
    pack(with_npm(tiny, monkeypatch))
    said = []

    get_weights("tiny", tell=said.append)

    assert said == ["fetching tinypose==1.0 with pip", "fetching @tiny/pose@1.0 with npm"]
    assert kept(tiny) == ["tiny.json", "tiny.onnx"]


def test_npm_brings_them_if_it_is_asked_to(tiny, monkeypatch):
    pack(with_npm(tiny, monkeypatch))
    wheel(tiny / "links")
    said = []

    get_weights("tiny", client="npm", tell=said.append)

    assert said == ["fetching @tiny/pose@1.0 with npm"]


def test_a_client_that_is_named_fetches_anew_and_replaces_what_is_kept(tiny, monkeypatch):
    wheel(tiny / "links")
    (path,) = get_weights("tiny")
    made, card = path.read_bytes(), path.with_suffix(".json")
    assert json.loads(card.read_text())["package"] == WHEEL
    said = []

    refused(ModelError, "no npm is on the PATH", client="npm")
    assert (path.read_bytes(), json.loads(card.read_text())["package"]) == (made, WHEEL)

    pack(with_npm(tiny, monkeypatch))
    assert get_weights("tiny", client="npm", tell=said.append) == [path]
    assert said == ["fetching @tiny/pose@1.0 with npm"]
    assert (path.read_bytes(), json.loads(card.read_text())["package"]) == (made, PACK)
    get_weights("tiny", tell=said.append)
    assert len(said) == 1


def test_nobody_can_fetch_them(tiny):
    refused(
        ModelError,
        "tiny could not be fetched",
        "pip could not fetch tinypose==1.0: ERROR: No matching distribution",
        "npm could not fetch @tiny/pose@1.0: no npm is on the PATH",
        "graphlift model get tiny --from FILE",
    )
    assert not kept(tiny)


def test_a_package_that_is_here_is_taken(tiny):
    get_weights("tiny", archive=wheel(tiny))
    (path,) = get_weights("tiny")
    path.unlink()
    get_weights("tiny", archive=pack(tiny))

    assert path.exists()


def test_a_package_that_is_given_replaces_what_is_kept(tiny):
    (path,) = get_weights("tiny", archive=wheel(tiny))
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()

    refused(FormatError, "has the sha256", archive=wheel(tiny, changed(TINY)))
    assert before == (path.read_bytes(), path.with_suffix(".json").read_bytes())
    refused(FormatError, "tiny.tgz: no package/tiny.tflite", archive=pack(tiny, name="package/x"))

    assert get_weights("tiny", archive=pack(tiny)) == [path]
    assert path.read_bytes() == before[0]
    assert json.loads(path.with_suffix(".json").read_text())["package"] == PACK


def test_a_package_of_the_wrong_kind_or_none_is_refused(tiny, monkeypatch):
    only_npm = Weights("tiny", {"npm": IN_NPM}, {0: "x"})
    monkeypatch.setitem(MODELS, "tiny", (only_npm,))

    refused(ModelError, "tinypose", "@tiny/pose@1.0 (npm)", archive=wheel(tiny))
    refused(ModelError, "pip has no tiny", "@tiny/pose@1.0 (npm)", client="pip")
    with pytest.raises(FileNotFoundError, match=r"gone\.tgz"):
        get_weights("tiny", archive=tiny / "gone.tgz")
    with pytest.raises(ModelError, match="'alexnet': there are blazepose,"):
        get_weights("alexnet")


def changed(data):
    return bytes([*data[:-1], data[-1] ^ 1])


@pytest.mark.parametrize("archive", [wheel, pack])
def test_a_file_with_another_digest_is_refused_and_nothing_kept(tiny, archive):
    other = hashlib.sha256(changed(TINY)).hexdigest()

    refused(
        FormatError,
        *("tiny.tflite has the sha256", other, hashlib.sha256(TINY).hexdigest()),
        *("nothing of it was kept", "package mirror"),
        archive=archive(tiny, changed(TINY)),
    )
    assert not kept(tiny)


@pytest.mark.parametrize("archive", [wheel, pack])
def test_a_file_of_another_size_is_not_even_read(tiny, archive):
    huge = bytes(50_000_000)

    refused(FormatError, "50,000,000 bytes", f"not {len(TINY)}", archive=archive(tiny, huge))
    assert not kept(tiny)


@pytest.mark.parametrize("archive", [wheel, pack])
def test_a_package_without_the_file_is_refused(tiny, archive):
    refused(FormatError, "no ", "tiny.tflite in it", archive=archive(tiny, name="other"))


@pytest.mark.parametrize("archive", [wheel, pack])
@pytest.mark.parametrize("part", [0, 0.5, 0.9])
def test_a_package_that_is_cut_off_is_refused(tiny, archive, part):
    path = archive(tiny)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])

    refused(FormatError, str(path), "download it again", archive=path)
    assert not kept(tiny)


def test_a_link_in_a_package_is_not_followed(tiny):
    path = tiny / "tiny.tgz"
    with tarfile.open(path, "w:gz") as opened:
        entry = tarfile.TarInfo("package/tiny.tflite")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(entry)

    refused(FormatError, "no package/tiny.tflite in it", archive=path)


def test_what_cannot_be_converted_leaves_nothing(tiny, monkeypatch):
    data = b"no model"
    odd = Weights("tiny", {"pip": Package(WHEEL, (member("tiny.tflite", data),))}, {0: "x"})
    monkeypatch.setitem(MODELS, "tiny", (odd,))

    refused(FormatError, "no TensorFlow Lite model", archive=wheel(tiny, data))
    assert not kept(tiny)


def test_members_come_in_the_order_asked_for(tiny):
    path = tiny / "two.whl"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("a", b"one")
        opened.writestr("b", b"two")

    assert read_files(path, [member("b", b"two"), member("a", b"one")]) == [b"two", b"one"]


def test_the_cache_is_where_the_system_keeps_caches(monkeypatch):
    monkeypatch.setenv("GRAPHLIFT_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("GRAPHLIFT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/shared")
    assert cache_folder() == Path("/shared/graphlift")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == Path("/home/me/.cache/graphlift")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path("/home/me/Library/Caches/graphlift")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/graphlift")


def test_every_file_has_a_digest_for_every_client_and_no_code_names_an_address():
    for each in (made for made in MODELS.values() for made in made):
        assert all(len(m.sha256) == 64 for p in each.packages.values() for m in p.files)
    for path in Path(get.__file__).parent.rglob("*.py"):
        assert "://" not in path.read_text(), path
