"""Texts as strangers send them, for tests that try many: any JSON value, objects with damage, awkward letters."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["publish", "subscribe", "events", "/a", "ann", "score", "remove", "1", 1])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
# Whatever a JSON string must escape, and what a JavaScript one once had to.
awkward = st.text(
    st.sampled_from('"\\/\n\r\t\b\f\x00\x1f\x7f\u2028\u2029é👩{}[],:')
    | st.characters(exclude_categories=["Cs"]),
    max_size=12,
)


def object_text(members: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[str]:
    """JSON texts of objects with these members, each of which may be missing or be anything, and with damage."""
    objects = st.fixed_dictionaries(
        {}, optional={name: value | values for name, value in members.items()}
    )
    whole = objects.map(json.dumps)  # NaN and Infinity included, as json.dumps writes them
    cut = st.tuples(whole, st.integers(0, 200), st.text(max_size=2)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
    )
    return whole | cut
