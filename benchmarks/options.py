"""Child processes and Markdown, shared by the programs in this folder."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

#: Seconds of processor time tell more where other programs run at the same time.
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def child(program, *words, environment=None, seconds=None):
    """Run a program of this folder; the JSON of its last line, or None if it fails.

    `environment` sets variables; after `seconds` the program counts as failed.
    """
    try:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name(program)), *map(str, words)],
            capture_output=True,
            text=True,
            env=dict(os.environ) | (environment or {}),
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        print(program, *words, f"takes longer than {seconds} s", file=sys.stderr, flush=True)
        return None
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:]
        print(program, *words, *reason, file=sys.stderr, flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def number(value):
    """Three digits of a number, or a dash for None."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
