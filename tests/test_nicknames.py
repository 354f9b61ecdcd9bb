"""Names of people who join a room: what stays, what is refused and why, and that no two are the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leaderboard.errors import NameRefused
from leaderboard.names import MAX_NAME, clean_name, graphemes
from leaderboard.nicknames import MAX_LETTERS, blocker, key, nickname
from leaderboard.settings import ConfigError, Settings
from leaderboard.sources import load
from tests.test_names import ACUTE, ENGLAND, VS16, WALES, ZWJ, ZWNJ, hostile

FAMILY = f"👩{ZWJ}👩{ZWJ}👧{ZWJ}👦"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ann", "Ann"),
        ("  Ada \t  Lovelace \n", "Ada Lovelace"),
        ("ＡＮＮ", "ANN"),
        ("x", "x"),
        ("x" * 20, "x" * 20),
        ("李小龍", "李小龍"),
        ("محمد الخوارزمي", "محمد الخوارزمي"),
        ("\u202eneB\u202c", "neB"),
        ("\u2066שָׁלוֹם\u2069", "שָׁלוֹם"),
        ("A\u200bn\ufeffn", "Ann"),
        (f"می{ZWNJ}خواهم", f"می{ZWNJ}خواهم"),
        (f"क्{ZWJ}ष", f"क्{ZWJ}ष"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        (FAMILY * 9, FAMILY * 9),
        ("👋🏽" * 20, "👋🏽" * 20),
        ("🇺🇦🇨🇭", "🇺🇦🇨🇭"),
        (ENGLAND + WALES, ENGLAND + WALES),
        (f"1{VS16}\u20e3" * 20, f"1{VS16}\u20e3" * 20),
        ("e" + ACUTE * 3 + "x" * 19, "é" + ACUTE * 2 + "x" * 19),
        ("<img src=x>", "<img src=x>"),
        ("ﷺ", "صلى الله عليه وسلم"),  # one character that stands for a sentence
        ("e\u0336" * 20, "e\u0336" * 20),
        ("\u0336Z\u0351a\u0340lgo", "Z\u0351àlgo"),
    ],
    ids=ascii,
)
def test_what_people_call_themselves_stays(text: str, name: str) -> None:
    assert nickname(text) == name


@pytest.mark.parametrize(
    "text",
    ["", "   ", "\u3000\u00a0", "\u200b\u200b", ZWJ, "\u202e", "\u3164", "\u2800", ACUTE, VS16, ENGLAND[1:], "\ud800"],
    ids=ascii,
)  # fmt: skip
def test_a_name_that_nobody_could_see_is_refused(text: str) -> None:
    with pytest.raises(NameRefused, match="can be seen"):
        nickname(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * 21, "at most 20 letters; this one has 21"),
        ("x" * 200, "at most 20 letters; this one has 200"),
        ("李" * 21, "at most 20 letters; this one has 21"),
        ("ｘ" * 21, "at most 20 letters; this one has 21"),
        ("🇺🇦" * 21, "at most 20 letters; this one has 21"),
        ("x" * 1_000_000, "at most 20 letters"),
        (FAMILY * 10, "too many characters"),
        (ENGLAND * 10, "too many characters"),
        (f"👩{ZWJ}" * 16 + "👩", "too many characters"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_name_that_is_too_long_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NameRefused, match=why):
        nickname(text)


# -- no two alike ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "text", "name"),
    [
        (["Ann"], "Ann", "Ann 2"),
        (["Ann"], "ANN", "ANN 2"),
        (["Ann"], "Anna", "Anna"),
        (["Ann", "ann 2"], "ann", "ann 3"),
        (["Ann 2"], "Ann", "Ann"),
        (["Ann", "Ann 2"], "Ann 2", "Ann 2 2"),
        (["Straße"], "STRASSE", "STRASSE 2"),
        (["❤"], f"❤{VS16}", f"❤{VS16} 2"),
        ([ENGLAND], WALES, WALES),
        (["x" * 20], "x" * 20, "x" * 18 + " 2"),
        (["Ann of Green Gables!", "Ann of Green Gable 2"], "Ann of Green Gables!", "Ann of Green Gable 3"),
        (["aaaaaaaaaaaaaaaaa bc"], "aaaaaaaaaaaaaaaaa bc", "aaaaaaaaaaaaaaaaa 2"),
        ([f"{'م' * 18}{ZWNJ}مم"], f"{'م' * 18}{ZWNJ}مم", f"{'م' * 18} 2"),
        ([FAMILY * 9], FAMILY * 9, FAMILY * 8 + " 2"),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_name_that_is_taken_gets_a_number(taken: list[str], text: str, name: str) -> None:
    assert nickname(text, {key(each) for each in taken}) == name


def test_in_a_room_full_of_anns_each_has_a_number_of_its_own() -> None:
    taken: set[str] = set()
    for _ in range(1100):
        name = nickname("Ann" * 6, taken)
        assert key(name) not in taken
        assert len(name) <= MAX_LETTERS
        taken.add(key(name))
    assert max(len(name) for name in taken) == MAX_LETTERS


anybody = st.one_of(
    hostile,
    st.text(st.sampled_from(f"aAbB1 {ZWJ}{ZWNJ}{VS16}{ACUTE}👩م\u0d4e"), max_size=24),
)
"""Hostile text, and text of which many are alike."""


@given(st.lists(anybody, max_size=12))
@example(["👩" + f"{ZWJ}👩" * 7] * 3)
@example(["\u0d4e" * 20] * 3)
def test_whoever_gets_in_has_a_short_clean_name_that_nobody_else_has(texts: list[str]) -> None:
    names: list[str] = []
    for text in [*texts, *texts]:
        try:
            name = nickname(text, {key(each) for each in names})
        except NameRefused:
            continue
        assert 1 <= len(graphemes(name)) <= MAX_LETTERS
        assert len(name) <= MAX_NAME
        assert name == clean_name(name)
        assert nickname(name) == name
        names.append(name)
    assert len({name.casefold() for name in names}) == len(names)
    assert len({key(name) for name in names}) == len(names)


# -- decent ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "fuck", "FUCK", "Fück", "ｆｕｃｋ", "f\u200buck", "f\u0336uck", "fuuuuck", "FuckYou", "motherfucker",
        "f u c k", "f.u.c.k", "I am f-u-c-k", "f_u_c_k", "fu-ck", "f*u*c*k", "fuck!", "!fuck", "fuck1", "1fuck",
        "sh1t", "5hit", "$hit", "sh!t", "5h1t", "s h 1 t", "5 h 1 t", "shit happens", "cunt69", "c-u-n-t", "the rapist",
        "N1gg3r", "NIGGERRRS", "a55hole", "4ssh0le", "Ass-Hole", "Heil Hitler", "hitler1", "Neo-Nazi", "K.K.K.",
    ],
)  # fmt: skip
def test_what_is_rude_however_it_is_spelled_is_refused(text: str) -> None:
    with pytest.raises(NameRefused, match="not welcome"):
        nickname(text)


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe", "Penistone", "Clitheroe", "Essex", "Montenegro", "Arsenal", "Pakistan", "Niger", "Shitterton",
        "Dick Van Dyke", "Hancock", "Cockburn", "Dikshit", "Rakshit", "Slutsky", "Pornthip", "Kike García", "Cumming",
        "Nazim", "Titsworth", "Matsushita", "Wan K.", "Shi T", "Ashi Tanaka", "Fuchs", "Therapist", "Assassin",
        "Classic", "snigger", "Shiitake", "Push It", "Push-It", "Has Hit 3", "As 5", "Ann 5", "S. Hart", "B1tten",
        "4355", "Mr. T", "A.B.C.", "日本", "शिवानी", "Fuc", "f u", "1 2 3",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_to_a_machine_is_welcome(text: str) -> None:
    assert nickname(text) == text


def test_a_number_that_makes_a_word_is_refused_too() -> None:
    taken = {key("5 h 1")} | {key(f"5 h 1 {number}") for number in range(2, 7)}
    with pytest.raises(NameRefused, match="not welcome"):
        nickname("5 h 1", taken)


def test_the_list_is_the_operators() -> None:
    rival = blocker(["rovers", "*spam*", "spam", "ROT*", "Öl"])
    for refused in ("Rovers", "r0vers", "R o v e r s", "Antispammer", "rotten", "öl", "OL", "o-l"):
        with pytest.raises(NameRefused):
            nickname(refused, forbids=rival)
    for welcome in ("Landrovers", "Carrot", "Olaf", "fuck"):
        assert nickname(welcome, forbids=rival) == welcome


@pytest.mark.parametrize("words", [[], ["--", ""]])
def test_an_empty_list_refuses_nothing(words: list[str]) -> None:
    assert nickname("fuck", forbids=blocker(words)) == "fuck"


def test_a_word_of_one_letter_repeated_takes_no_time() -> None:
    forbids = blocker(["a" * 30, "*" + "ab" * 15 + "*"])
    assert forbids("a" * 60)
    assert not forbids("a" * 29 + "b")
    assert not forbids("ab" * 14 + "a" * 30)


def test_the_setting_is_a_list_of_words() -> None:
    assert Settings().blocked_names is None
    found = load(environ={"LEADERBOARD_BLOCKED_NAMES": '["spam", "*ham*", "मादर"]'}).settings
    assert found.blocked_names == ("spam", "*ham*", "मादर")
    assert load(environ={"LEADERBOARD_BLOCKED_NAMES": "[]"}).settings.blocked_names == ()
    for wrong in ("two words", "*", "", "a*b", "1488"):
        with pytest.raises(ConfigError, match="blocked_names"):
            load(flags={"blocked_names": [wrong]}, environ={})
