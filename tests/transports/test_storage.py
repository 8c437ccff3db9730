"""Storage keeps named values, each replaced whole."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from comity.sdk.errors import ConfigError, JournalError
from comity.sdk.ports import Storage
from comity.transports.storage import FileStorage, open_storage


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return open_storage("memory:" if request.param == "memory" else f"file:{tmp_path}/new/state")


async def test_values_are_kept_and_replaced(storage: Storage) -> None:
    assert await storage.load() == {}
    names = ["lease", "a/b", "..", "ü 100%", "a.value", "did:key:z6Mk"]
    for name in names:
        await storage.save(name, b"old")
    for name in names:
        await storage.save(name, name.encode())
    assert await storage.load() == {name: name.encode() for name in names}


@pytest.mark.parametrize("token", ["", "x" * 201])
async def test_an_impossible_name_is_refused(storage: Storage, token: str) -> None:
    with pytest.raises(ConfigError):
        await storage.save(token, b"")


async def test_the_last_save_wins_also_after_a_cancelled_one(storage: Storage) -> None:
    saves = [asyncio.create_task(storage.save("x", b"%d" % number)) for number in range(20)]
    await asyncio.wait(saves, timeout=0)
    saves[0].cancel()
    saves[7].cancel()
    await asyncio.wait(saves)
    assert await storage.load() == {"x": b"19"}


async def test_files_survive_and_are_the_owners_own(tmp_path: Path) -> None:
    await FileStorage(tmp_path / "state").save("secret", b"1")
    assert await FileStorage(tmp_path / "state").load() == {"secret": b"1"}
    modes = await asyncio.to_thread(lambda: [path.stat().st_mode for path in tmp_path.rglob("*")])
    assert sorted(map(stat.S_IMODE, modes)) == [0o600, 0o700]


async def test_an_interrupted_save_leaves_the_old_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FileStorage(tmp_path)
    await storage.save("x", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(JournalError, match=r"x\.value: No space left"):
            await storage.save("x", b"new")
    assert await FileStorage(tmp_path).load() == {"x": b"old"}
    await storage.save("x", b"new")
    assert await storage.load() == {"x": b"new"}


async def test_a_file_in_place_of_the_directory_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    await asyncio.to_thread(file.write_text, "x")
    with pytest.raises(JournalError, match="file"):
        await FileStorage(file).save("x", b"1")


@pytest.mark.parametrize("url", ["", "file:", "file://host/x", "file:x?y=1", "s3://bucket"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_storage(url)
