"""Whatever goes wrong, a folder is the old one whole or the new one whole."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from rrr.api.export_folder import Table, refuse_to_overwrite, write_folder
from rrr.core.errors import StorageFailed, UsageError

FILES: Final = ("a.csv", "b.json")
TABLES: Final = {"a.csv": Table(("x", "y"), [(1, "two, or three")])}
TEXTS: Final = {"b.json": "{}\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_holds_what_it_was_given(folder: Path) -> None:
    write_folder(folder, TABLES, TEXTS)
    assert read(folder) == {"a.csv": 'x,y\n1,"two, or three"\n', "b.json": "{}\n"}
    assert list(folder.parent.iterdir()) == [folder]


def test_folders_above_are_made(tmp_path: Path) -> None:
    write_folder(tmp_path / "2024" / "taxes", TABLES, TEXTS)
    assert (tmp_path / "2024" / "taxes" / "a.csv").exists()


def test_an_empty_folder_is_filled(folder: Path) -> None:
    folder.mkdir()
    refuse_to_overwrite(folder, FILES, force=False)
    write_folder(folder, TABLES, TEXTS)
    assert read(folder).keys() == set(FILES)


@pytest.mark.parametrize("force", [False, True])
def test_what_no_export_wrote_is_never_replaced(folder: Path, force: bool) -> None:
    folder.mkdir()
    (folder / "a.csv").touch()
    (folder / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"holds 'thesis\.txt', which no export wrote"):
        refuse_to_overwrite(folder, FILES, force)


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_folder_is_never_replaced(folder: Path, force: bool) -> None:
    folder.write_text("a letter")
    with pytest.raises(UsageError, match="is no folder"):
        refuse_to_overwrite(folder, FILES, force)
    folder.unlink()
    folder.symlink_to(folder.parent)
    with pytest.raises(UsageError, match="is no folder"):
        refuse_to_overwrite(folder, FILES, force)


def test_a_table_that_breaks_leaves_the_old_folder(folder: Path) -> None:
    write_folder(folder, TABLES, TEXTS)
    old = read(folder)

    def broken() -> Iterator[tuple[Any, ...]]:
        yield (1, 2)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageFailed, match="No space left"):
        write_folder(folder, {"a.csv": Table(("x", "y"), broken())}, TEXTS)
    assert read(folder) == old
    assert list(folder.parent.iterdir()) == [folder]


def test_a_name_that_cannot_be_taken_gives_the_old_one_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(folder, TABLES, TEXTS)
    old, rename = read(folder), Path.rename

    def refused(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith("-old"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(UsageError, match="Operation not permitted"):
        write_folder(folder, {"a.csv": Table(("z",), [])}, TEXTS)
    assert read(folder) == old
    assert list(folder.parent.iterdir()) == [folder]


def test_a_place_that_cannot_be_is_named(folder: Path) -> None:
    folder.write_text("a letter")
    with pytest.raises(
        UsageError, match=r"out/in cannot be written: (Not a directory|File exists)"
    ):
        write_folder(folder / "in", TABLES, TEXTS)
