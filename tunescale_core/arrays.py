"""What arrays hold, for type checkers alone: collecting cases must not pay for numpy, so it is imported where used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Figures = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.intp]
else:
    Figures = Flags = Places = Any
