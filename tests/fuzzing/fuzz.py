"""Fuzz what reads files and answers, with atheris (pip install 'tunescale[fuzz]').

    python tests/fuzzing/fuzz.py TARGET [--seconds 100]

Starts from the corpus beside this file, which tests/test_fuzz.py feeds again; inputs that take new ways come into
.fuzzed-TARGET, to be copied there if they are worth keeping. A fault ends it, with its input.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
LONGEST = 2048
"""Bytes of an input."""


def main() -> None:
    """Fuzz one target for so long."""
    import atheris

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=100)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["tunescale_core", "tests.fuzzing"]):
        from tests.fuzzing.targets import TARGETS, fed
    target, kept, grown = TARGETS[asked.target], CORPUS / asked.target, Path(f".fuzzed-{asked.target}")
    for folder in (kept, grown):
        folder.mkdir(parents=True, exist_ok=True)
    words = [sys.argv[0], f"-max_len={LONGEST}", "-rss_limit_mb=0", f"-artifact_prefix={grown}-fault-"]
    words += [f"-max_total_time={asked.seconds}", "-print_final_stats=1", str(grown), str(kept)]
    atheris.Setup(words, lambda content: fed(target, content))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
