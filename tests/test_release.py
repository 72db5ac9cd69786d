"""What a release says of itself is the same everywhere."""

import configparser
import re
from pathlib import Path

import scg

ROOT = Path(__file__).resolve().parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_that_of_the_changelog_and_of_the_citation():
    versions = re.findall(r"^## \[(.+)\](?: - \d{4}-\d\d-\d\d)?$", read("CHANGELOG.md"), re.M)
    assert versions[:2] == ["Unreleased", scg.__version__]
    assert f"\nversion: {scg.__version__}\n" in read("CITATION.cff")
    assert re.fullmatch(r"\d+\.\d+\.\d+", scg.__version__)


def test_every_extra_is_documented():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", read("docs/howto/install.md"), re.M)
    assert set(documented) == set(config["options.extras_require"])
