"""leaderboard.assets: the folders are found, and what others wrote is there unchanged."""

import hashlib

from leaderboard.assets import STATIC, TEMPLATES


def test_both_folders_are_found() -> None:
    assert TEMPLATES.is_dir()
    assert STATIC.is_dir()


def test_every_vendored_file_is_what_its_authors_published() -> None:
    vendor = STATIC / "vendor"
    lines = (vendor / "SHA256SUMS").read_text().splitlines()
    expected = {name: digest for digest, name in (line.split() for line in lines)}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert found == expected
