"""Pictures that lie at addresses, in fsspec's memory and on a real S3 server: built, updated, read, described."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from limner.index.build import build, update
from limner.index.decode import decode, read_bytes
from limner.index.describe import describe_library
from limner.index.errors import LibraryMissing, PictureUnreadable, SourceMissing
from limner.index.library import Library
from limner.index.places import RemotePath, absolute, address_of, place, stamp_of
from limner.index.remote import copied
from limner.index.verify import verify

from ..colours import COLOURS, ColourEncoder, Paint

Put = Callable[[str, bytes], None]  # name below `bucket`, content


class Storage:
    """One of the two storages, with a bucket."""

    def __init__(self, scheme: str, system: Any) -> None:
        self.scheme, self.system = scheme, system

    def at(self, name: str) -> Path:
        return place(f"{self.scheme}://bucket/{name}")

    def put(self, name: str, content: bytes) -> None:
        self.system.pipe_file(f"bucket/{name}" if self.scheme == "s3" else f"/bucket/{name}", content)

    def remove(self, name: str) -> None:
        self.system.rm_file(f"bucket/{name}" if self.scheme == "s3" else f"/bucket/{name}")


@pytest.fixture(params=["memory", "s3"])
def storage(request: pytest.FixtureRequest) -> Storage:
    return Storage(request.param, request.getfixturevalue(request.param))


@pytest.fixture
def pictures(storage: Storage, colour_folder: Path) -> Path:
    """The address of the pictures of colour_folder, in two folders."""
    for file in colour_folder.iterdir():
        storage.put(f"pictures/{'dark' if file.stem in ('black', 'blue') else 'light'}/{file.name}", file.read_bytes())
    return storage.at("pictures")


def test_a_library_of_an_address_finds_what_that_of_a_folder_finds(
    storage: Storage, pictures: Path, colour_library: Library, tmp_path: Path
) -> None:
    summary = build([pictures], tmp_path / "remote", encoder=ColourEncoder())
    assert (summary.indexed, summary.skipped) == (8, [])
    there = Library.open(tmp_path / "remote", encoder=ColourEncoder())
    for colour in COLOURS:
        here = [(hit.image.path.name, hit.image.hash, hit.image.size) for hit in colour_library.search(colour, 1)]
        assert [(hit.image.path.name, hit.image.hash, hit.image.size) for hit in there.search(colour, 1)] == here
    record = there.search("red", 1)[0].image
    assert str(record.path) == f"{storage.scheme}://bucket/pictures/light/red.png"
    assert there.manifest.sources == (f"{storage.scheme}://bucket/pictures",)
    # The folder below the source is a word, as in a folder.
    assert there.search("dark", 2)[0].image.path.parent.name == "dark"
    assert decode(record.path).getpixel((0, 0)) == COLOURS["red"]


def test_an_update_reads_what_changed_alone(
    storage: Storage, pictures: Path, colour_folder: Path, tmp_path: Path, paint: Paint
) -> None:
    library, encoder = tmp_path / "library", ColourEncoder()
    red, cyan = (((colour_folder / f"{name}.png").read_bytes()).ljust(500, b"\0") for name in ("red", "cyan"))
    storage.put("pictures/light/red.png", red)
    build([pictures], library, encoder=encoder)
    encoder.pictures_encoded = 0
    assert update(library, encoder=encoder).unchanged == 8
    before = {record.path.name: record.id for record in Library.open(library).records()}

    # As large as before, within the same second: its ETag alone tells.
    storage.put("pictures/light/red.png", cyan)
    storage.put("pictures/light/lemon.png", (colour_folder / "yellow.png").read_bytes())
    storage.remove("pictures/light/yellow.png")
    storage.put("pictures/light/orange.png", paint(tmp_path / "orange.png", (255, 165, 0)).read_bytes())
    storage.remove("pictures/dark/black.png")
    summary = update(library, encoder=encoder)

    assert (summary.indexed, summary.unchanged, summary.moved, summary.removed) == (2, 5, 1, 1)
    assert encoder.pictures_encoded == 2
    after = {record.path.name: record.id for record in Library.open(library).records()}
    assert after["lemon.png"] == before["yellow.png"]
    assert after["red.png"] == before["red.png"]


def test_what_is_said_beside_the_pictures_counts(storage: Storage, pictures: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    storage.put("pictures/limner-metadata.csv", b"file,caption\nlight/red.png,A glowing ember\n../x.png,no\n")
    storage.put("pictures/light/green.png.json", b'{"alt": "A meadow", "creator": "Ann"}')
    summary = build([pictures], library, encoder=ColourEncoder())
    said = {record.path.name: record for record in Library.open(library).records()}
    assert said["red.png"].caption == "A glowing ember"
    assert (said["green.png"].alt, said["green.png"].creator) == ("A meadow", "Ann")
    assert [str(path) for path, _ in summary.notices] == [f"{storage.scheme}://bucket/pictures/limner-metadata.csv"]

    storage.put("pictures/limner-metadata.csv", b"file,caption\nlight/red.png,A cooled ember\n")
    encoder = ColourEncoder()
    update(library, encoder=encoder)
    assert encoder.pictures_encoded == 0
    (red,) = [record for record in Library.open(library).records() if record.path.name == "red.png"]
    assert red.caption == "A cooled ember"


def test_what_is_no_picture_is_said_or_passed_over(storage: Storage, pictures: Path, tmp_path: Path) -> None:
    storage.put("pictures/empty.jpg", b"")
    storage.put("pictures/broken.jpg", b"no picture")
    storage.put("pictures/large.jpg", bytes(3000))
    storage.put("pictures/.hidden/red.jpg", b"hidden")
    storage.put("pictures/notes.txt", b"no picture")
    summary = build([pictures], tmp_path / "library", encoder=ColourEncoder(), max_bytes=2000)
    assert {path.name: reason for path, reason in summary.skipped} == {
        "broken.jpg": "not a picture that Limner can read",
        "empty.jpg": "the file is empty",
        "large.jpg": "3,000 bytes, above the limit of 2,000",
    }
    assert len(Library.open(tmp_path / "library")) == 8
    assert f"{pictures}/broken.jpg\t" in (tmp_path / "library" / "skipped.log").read_text()
    # Remembered, and not read again.
    assert len(update(tmp_path / "library", encoder=ColourEncoder(), max_bytes=2000).skipped) == 3


def test_verify_looks_at_each_picture(storage: Storage, pictures: Path, tmp_path: Path) -> None:
    build([pictures], tmp_path / "library", encoder=ColourEncoder())
    assert verify(tmp_path / "library", files=True) == []
    storage.remove("pictures/light/red.png")
    storage.put("pictures/light/green.png", b"another")
    faults = {fault.part: fault.what for fault in verify(tmp_path / "library", files=True)}
    assert set(faults) == {f"{pictures}/light/red.png", f"{pictures}/light/green.png"}
    assert "cannot be found" in faults[f"{pictures}/light/red.png"]


def test_one_picture_may_be_named(storage: Storage, pictures: Path, tmp_path: Path) -> None:
    storage.put("pictures/light/red.json", b'{"caption": "An ember"}')
    build([pictures / "light" / "red.png"], tmp_path / "library", encoder=ColourEncoder())
    assert [record.caption for record in Library.open(tmp_path / "library").records()] == ["An ember"]
    storage.remove("pictures/light/red.png")
    with pytest.raises(SourceMissing):
        update(tmp_path / "library", encoder=ColourEncoder())


def test_names_of_any_kind_are_read(storage: Storage, colour_folder: Path, tmp_path: Path) -> None:
    names = ["a b.png", "ä/été.png", "红色.png", "100%.png", "a#1.png", "a?b.png", "[x]*.png", "%41.png"]
    if storage.scheme == "s3":
        names.append("a::b.png")  # fsspec's memory cannot have it
    for name in names:
        storage.put(f"odd/{name}", (colour_folder / "red.png").read_bytes())
    summary = build([storage.at("odd")], tmp_path / "library", encoder=ColourEncoder())
    assert summary.skipped == []
    paths = [record.path for record in Library.open(tmp_path / "library").records()]
    assert {str(path) for path in paths} == {f"{storage.at('odd')}/{name}" for name in names}
    assert all(decode(path).getpixel((0, 0)) == COLOURS["red"] for path in paths)


def test_objects_that_stand_for_folders_are_no_pictures(s3: Any, colour_folder: Path, tmp_path: Path) -> None:
    for key in ("p/", "p/sub/", "p/sub/a.png", "p//b.png", "p2/c.png"):
        content = b"" if key.endswith("/") else (colour_folder / "red.png").read_bytes()
        s3.call_s3("put_object", Bucket="bucket", Key=key, Body=content)
    summary = build([Path("s3://bucket/p")], tmp_path / "library", encoder=ColourEncoder())
    assert [str(record.path) for record in Library.open(tmp_path / "library").records()] == ["s3://bucket/p/sub/a.png"]
    assert [reason for _, reason in summary.skipped] == [
        "two slashes stand one after the other in s3://bucket/p//b.png"
    ]


def test_an_address_that_is_gone_does_not_empty_the_library(storage: Storage, pictures: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    build([pictures], library, encoder=ColourEncoder())
    for folder in ("dark", "light"):
        for record in Library.open(library).records():
            if record.path.parent.name == folder:
                storage.remove(f"pictures/{folder}/{record.path.name}")
    with pytest.raises(SourceMissing, match=r"pictures does not exist"):
        update(library, encoder=ColourEncoder())
    assert len(Library.open(library)) == 8
    with pytest.raises(SourceMissing, match=r"none does not exist"):
        build([storage.at("none")], tmp_path / "new", encoder=ColourEncoder())
    assert not (tmp_path / "new").exists()


def test_a_picture_that_went_since_is_not_there(storage: Storage, pictures: Path) -> None:
    red = pictures / "light" / "red.png"
    assert red.is_file()
    assert not red.parent.is_file()
    assert red.parent.exists()
    storage.remove("pictures/light/red.png")
    assert not red.is_file()
    assert not red.exists()
    with pytest.raises(PictureUnreadable, match="the file is not there"):
        read_bytes(red)


def test_words_are_written_for_what_is_as_it_was(
    storage: Storage, pictures: Path, colour_folder: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    build([pictures], library, encoder=ColourEncoder())
    storage.put("pictures/light/red.png", (colour_folder / "green.png").read_bytes())
    summary = describe_library(library, model="m", say=lambda path: f"It is {path.stem}")
    assert summary.described == 7
    assert [path.name for path, _ in summary.skipped] == ["red.png"]


def test_folders_and_addresses_make_one_library(pictures: Path, colour_folder: Path, tmp_path: Path) -> None:
    summary = build([colour_folder, pictures], tmp_path / "library", encoder=(encoder := ColourEncoder()))
    assert (summary.indexed, encoder.pictures_encoded) == (16, 8)
    local = {record.path.is_relative_to(colour_folder) for record in Library.open(tmp_path / "library").records()}
    assert local == {True, False}


def test_a_library_on_s3_is_read(s3: Any, colour_library: Library, tmp_path: Path) -> None:
    s3.put(f"{colour_library.folder}/", "bucket/library/", recursive=True)
    folder = copied("s3://bucket/library", tmp_path / "cache")
    there = Library.open(folder, encoder=ColourEncoder())
    assert [there.search(text, 8) for text in COLOURS] == [colour_library.search(text, 8) for text in COLOURS]


def test_who_may_not_read_is_told(s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match=r"no library at s3://bucket/none"):
        copied("s3://bucket/none", tmp_path / "cache")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    type(s3).clear_instance_cache()
    with pytest.raises(SourceMissing, match=r"cannot be listed.*credentials"):
        build([Path("s3://bucket/pictures")], tmp_path / "library", encoder=ColourEncoder())


def test_a_storage_that_does_not_answer_is_told(s3: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    type(s3).clear_instance_cache()
    with pytest.raises(SourceMissing, match="cannot be listed"):
        build([Path("s3://bucket/pictures")], tmp_path / "library", encoder=ColourEncoder())


def test_a_protocol_that_nobody_reads_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"nope://x cannot be listed: nothing here can read"):
        build([Path("nope://x")], tmp_path / "library", encoder=ColourEncoder())


def test_file_addresses_are_paths_of_this_machine(colour_folder: Path, tmp_path: Path) -> None:
    assert absolute(Path(f"file://{colour_folder}")) == colour_folder
    build([Path(f"file://{colour_folder}")], tmp_path / "library", encoder=ColourEncoder())
    assert Library.open(tmp_path / "library").manifest.sources == (str(colour_folder),)


def test_an_address_is_a_path_in_all_that_names_say() -> None:
    path = place(Path("s3://bucket/a/b.jpg"))
    assert isinstance(path, RemotePath)
    for same in (path, place(str(path)), absolute(path), copy.deepcopy(path), pickle.loads(pickle.dumps(path))):
        assert (str(same), type(same)) == ("s3://bucket/a/b.jpg", RemotePath)
        assert same == path
        assert hash(same) == hash(path)
    assert (path.name, path.stem, path.suffix) == ("b.jpg", "b", ".jpg")
    for derived, text in (
        (path.parent, "s3://bucket/a"),
        (path.with_name("c.xmp"), "s3://bucket/a/c.xmp"),
        (path.parent / "d.png", "s3://bucket/a/d.png"),
    ):
        assert (str(derived), type(derived)) == (text, RemotePath)
    assert place("s3://bucket") in path.parents
    assert path.relative_to(place("s3://bucket")).parts == ("a", "b.jpg")
    with pytest.raises(TypeError, match="no path of this machine"):
        os.stat(path)  # noqa: PTH116


def test_a_stamp_tells_what_changed_within_a_second(s3: Any) -> None:
    info = {"size": 5, "LastModified": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "ETag": '"a"'}
    assert stamp_of(info)[0] == 5
    assert stamp_of(info)[1] // 10**9 == 1767323045
    assert stamp_of(info | {"ETag": '"b"'}) != stamp_of(info)
    # Listings tell milliseconds and no quotation marks where a question for one file tells seconds.
    assert stamp_of(info | {"LastModified": "2026-01-02T03:04:05.678Z", "ETag": "a"}) == stamp_of(info)
    s3.pipe_file("bucket/a.png", b"red")
    status = place("s3://bucket/a.png").stat()
    assert (status.st_size, status.st_mtime_ns) == stamp_of(s3.find("bucket", detail=True)["bucket/a.png"])


@pytest.mark.parametrize("text", ["/a/b.jpg", "a.jpg", "C:/a.jpg", "/s3:/a", "s3:", "S3://a", "/a/file:/b.jpg"])
def test_other_texts_are_paths_of_this_machine(text: str) -> None:
    assert address_of(text) is None
    assert place(text) == Path(text)
