"""What a wheel has beside the library: the studies and the paper's figures, which a clone keeps with its benchmarks."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py

WITH = {"benchmarks/studies": "*.toml", "benchmarks/baselines": "paper_*"}
"""Folders of the repository, and which of their files go into the package, in a folder of the same name."""


class WithBenchmarks(build_py):
    """Copies them; an editable install reads them where they are."""

    def run(self) -> None:
        """Build the package."""
        super().run()
        if self.editable_mode:
            return
        for source, target in self._carried():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def get_source_files(self) -> list[str]:
        """Return what a source distribution needs: the same files, where they are."""
        return [*super().get_source_files(), *(str(source) for source, _ in self._carried())]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:  # noqa: FBT001, FBT002  setuptools' own
        """Return all files that are built."""
        carried = [] if self.editable_mode else [str(target) for _, target in self._carried()]
        return [*super().get_outputs(include_bytecode), *carried]

    def _carried(self) -> list[tuple[Path, Path]]:
        package = Path(self.build_lib) / "tunescale_core"
        found = [(Path(folder), file) for folder, files in WITH.items() for file in sorted(Path(folder).glob(files))]
        return [(file, package / folder.name / file.name) for folder, file in found]
