"""The lines of the core, and those that other subjects paid for."""

import ledger


def test_the_core_keeps_its_limits():
    advice = "name the files of what is not of the core in docs/ledger.py"
    assert ledger.core() < ledger.CORE, advice
    assert ledger.core("schedule/", "engine/") <= ledger.ENGINE, advice


def test_every_line_is_charged_once():
    lines = ledger.counted()
    paid = ledger.charged(lines)
    assert all(len(subjects) == 1 for subjects in paid.values())
    total = sum(sum(subjects.values()) for subjects in paid.values())
    assert ledger.core() + total == sum(lines.values())


def test_a_page_is_current_to_within_a_few_lines():
    made = ["| room | lines |", "| `ops/` | 5300 |"]
    shown = "| room | lines |\n| `ops/` | 5201 |\n"
    assert ledger.near(shown, made) == shown.splitlines()
    assert ledger.near(shown, ["| room | lines |", "| `ops/` | 6000 |"])[1].endswith("6000 |")
    assert ledger.near(shown, ["| room | lines |", "| `ir/` | 5201 |"])[1].startswith("| `ir/`")
    assert ledger.near("", made) == made
