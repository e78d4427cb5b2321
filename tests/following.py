"""A README followed as it is written."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path


def follow(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Run each command of a folder's README there, which must pass, and return what each printed."""
    printed = []
    for command in commands((folder / "README.md").read_text(encoding="utf-8")):
        done = subprocess.run(  # noqa: S602  the README's own words
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=280
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    return printed


def commands(text: str) -> list[str]:
    """Return what stands behind a `$` in the console blocks of a Markdown text."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [
        line.removeprefix("$ ").partition("  #")[0]
        for block in blocks
        for line in block.splitlines()
        if line[:1] == "$"
    ]
