"""Where the page templates, the static files and the documentation are.

In a checkout, and so in an editable install, their folders stand beside the package; a wheel carries
them inside it. Nothing else may depend on which of the two it is.
"""

from pathlib import Path
from typing import Final

__all__ = ["DOCS", "LAB", "STATIC", "TEMPLATES"]

_PACKAGE = Path(__file__).resolve().parent
_HOME = _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent

TEMPLATES: Final = _HOME / "templates"
STATIC: Final = _HOME / "static"
DOCS: Final = _HOME / "docs"
LAB: Final = DOCS / "lab.md"
