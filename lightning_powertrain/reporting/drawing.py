"""What all figures share: a canvas without global state, colours, axes, a legend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lightning_powertrain.errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of Okabe and Ito, and of Tol, which people with any form of colour blindness can distinguish.
GREY, BLACK, BLUE, GREEN, VERMILION, PURPLE = "#A8A8A8", "#000000", "#0072B2", "#009E73", "#D55E00", "#AA3377"


def new_figure(width_inch: float, height_inch: float, dpi: int = 120, fitted: bool = True) -> Figure:
    """An empty figure, ready to be saved. No global state of matplotlib is used or changed.

    Args:
        width_inch: Its width.
        height_inch: Its height.
        dpi: Pixels of an inch.
        fitted: Whether matplotlib moves the axes so that all text has room.

    Raises:
        MissingPackageError: If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise MissingPackageError.of("matplotlib", "plots") from missing
    figure = Figure(figsize=(width_inch, height_inch), dpi=dpi, layout="constrained" if fitted else None)
    FigureCanvasAgg(figure)
    return figure


def use_grid(axes: Axes) -> None:
    """Faint lines behind everything that is drawn."""
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def use_log_scale(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    """A logarithmic y-axis for ``values``, labelled with plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    # Over many decades, a label at 1, 2 and 5 of each would be too many.
    steps = (1.0, 2.0, 5.0) if values.max() < 1e3 * values.min() else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def legend_below(figure: Figure, columns: int = 4) -> None:
    """One legend for all axes, below them; what is drawn faintly is not faint in it."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize="small")
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)
