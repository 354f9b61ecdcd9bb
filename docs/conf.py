"""How Sphinx builds the documentation: `make docs`. Pages load nothing from other hosts; a broken reference fails."""

import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference import write_reference  # type: ignore[import-not-found]  # noqa: E402, it lies beside this file

from leaderboard import __version__  # noqa: E402

project = "leaderboard"
version = release = __version__
copyright = "the authors of leaderboard, MIT licence"  # noqa: A001, Sphinx' name

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # "da2-…" is no token of JSON, and meant so
if not (
    HERE / "fan-out.svg"
).exists():  # the charts are there once `python -m benchmarks record` has run
    suppress_warnings.append("image.not_readable")

html_theme = "furo"
html_title = f"leaderboard {__version__}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options: dict[str, object] = {"footer_icons": []}
html_permalinks_icon = "#"


def setup(app: Sphinx) -> None:
    """Have the reference written from the code before the pages are read."""

    def write(_: Sphinx, __: Config) -> None:
        write_reference(HERE / "reference")

    app.connect("config-inited", write)
