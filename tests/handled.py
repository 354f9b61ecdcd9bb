"""Where the tests' handlers are found by their import strings: a test puts its own functions here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

Function = Callable[[Any], Any]

_names = itertools.count(1)


def placed(function: Function) -> str:
    """The import string of a function, which has a place here from now on."""
    name = f"handler_{next(_names)}"
    globals()[name] = function
    return f"{__name__}:{name}"


no_function = 5
