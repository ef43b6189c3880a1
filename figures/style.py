"""How the figures look: sizes at print, colours that colour-blind readers tell apart, the paper's symbols."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.4, 7.0  # widths in inches, of one column and of both

ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (  # Okabe and Ito's palette
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY, INK = "#8C8C8C", "#222222"
AREAS = (BLUE, ORANGE, GREEN, SKY, VERMILLION, PURPLE, YELLOW, "#4D4D4D")
MARKERS = "osD^vP*X"
MASKED: dict[str, Any] = {"facecolor": "#D9D9D9", "edgecolor": GREY, "hatch": "/////", "linewidth": 0}

RC: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.8,
    "errorbar.capsize": 1.5,
    "hatch.linewidth": 0.5,
    "mathtext.fontset": "stix",
    "image.interpolation": "nearest",
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # text stays text
    "svg.hashsalt": "attention-dynamics",  # the same file every time
}

# What is the user's in a figure that is drawn from Python; sizes are ours, and whatever our labels are not written for.
USERS = re.compile(
    r"(font|text|mathtext|axes|[xy]tick|grid|legend|lines|patch|hatch|errorbar|figure\.(face|edge)color)"
)
OURS = re.compile(
    r"size|pad|spacing|width$|length|scale|margin|loc|layout|\.(top|bottom|left|right)$"
    r"|usetex|latex|parse_math|language|hinting|kerning"
)
PARTS = "color", "edgecolor", "facecolor", "markeredgecolor", "markerfacecolor"  # of an artist

# What a coordinate of a query p is about, and how it is drawn: its colour, line and marker.
LOOK: dict[str, dict[str, Any]] = {
    "target": {"color": VERMILLION, "linestyle": "-", "marker": "o"},
    "global": {"color": BLUE, "linestyle": "--", "marker": "s"},
    "other": {"color": GREEN, "linestyle": "-.", "marker": "^"},
    "self": {"color": INK, "linestyle": ":", "marker": "D"},
}

SYMBOL = {
    "fp.target": r"$\Phi_{p\to v_a}$, target area",
    "fp.global": r"$\Phi_{p\to v_1}$, global area",
    "fp.other": r"$\Phi_{p\to v_m}$, other areas",
    "pp.target": r"$\Upsilon_{p\to q}$, $q$ in target area",
    "pp.global": r"$\Upsilon_{p\to q}$, $q$ in global area",
    "pp.other": r"$\Upsilon_{p\to q}$, $q$ in other areas",
    "pp.self": r"$\Upsilon_{p\to p}$, itself",
}


def look(coordinate: str) -> dict[str, Any]:
    """Colour, line and marker of a coordinate, by what it is about."""
    return LOOK[coordinate.rpartition(".")[2]]


def users() -> dict[str, Any]:
    """What the user's rcParams say otherwise than Matplotlib's own, where no size of a figure is at stake.

    A font size is taken where it is smaller than ours, and those of labels and legends with it: larger text does not
    fit the widths of print.
    """
    from matplotlib import rcParams, rcParamsDefault

    names = [name for name in rcParamsDefault if USERS.match(name) and not OURS.search(name)]
    own: dict[str, Any] = {name: rcParams[name] for name in names if rcParams[name] != rcParamsDefault[name]}
    smaller = rcParams["font.size"] / RC["font.size"]
    texts = [name for name in RC if name.endswith(("font.size", "titlesize", "labelsize", "fontsize"))]
    return own | ({name: smaller * RC[name] for name in texts} if smaller < 1 else {})


def recolour(figure: Figure) -> None:
    """Draw in the colour of the user's text what is drawn in ink, which a dark page would swallow, but on maps."""
    from matplotlib import rcParams
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import to_rgb, to_rgba_array

    ink = to_rgb(INK)
    maps = [axes for axes in figure.axes if axes.images or any(isinstance(one, QuadMesh) for one in axes.collections)]
    for artist in figure.findobj(lambda one: getattr(one, "axes", None) not in maps):
        for part in PARTS:
            colours = to_rgba_array(getattr(artist, f"get_{part}", lambda: "none")())
            if len(colours) and bool((colours[:, :3] == ink).all()):
                getattr(artist, f"set_{part}")(rcParams["text.color"])
