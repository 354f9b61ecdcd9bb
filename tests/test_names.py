"""Names from strangers: what stays as it was written, and what could hide, reverse or overflow and goes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leaderboard.names import MAX_MARKS, clean_name, is_printable_id

ZWNJ, ZWJ = "\u200c", "\u200d"
VS16 = "\ufe0f"
ACUTE = "\u0301"


def tagged(code: str, end: str = "\U000e007f") -> str:
    """A black flag and a code in tags, which make another flag of it (Unicode TS #51, 1.4.9)."""
    return "🏴" + "".join(chr(0xE0000 + ord(char)) for char in code) + end


ENGLAND, SCOTLAND, WALES = map(tagged, ("gbeng", "gbsct", "gbwls"))


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "O'Brien-Smith, Jr. <3",
        "<img src=x onerror=alert(1)>",
        "Zoë",
        "Đặng Thị Hồng",
        "Ἀριστοτέλης",
        "Юлія",
        "李小龍",
        "ひらがな カタカナ",
        "한국어",
        "שָׁלוֹם",
        "محمد",
        f"می{ZWNJ}خواهم",  # Persian is spelled with the non-joiner
        "हिन्दी",
        f"क्{ZWJ}ष",  # and Indic scripts with both
        f"শ্{ZWNJ}র",
        "ภาษาไทยที่",
        "མཁའ་འགྲོ",
        "မြွှေ့",
        "👋🏽",
        f"👩{ZWJ}👩{ZWJ}👧{ZWJ}👦",
        f"❤{VS16}{ZWJ}🔥",
        f"🏳{VS16}{ZWJ}🌈",
        f"1{VS16}\u20e3",
        "🇺🇦",
        ENGLAND,
        f"{SCOTLAND} Mo {WALES}{WALES}",
        f"{ENGLAND}{ZWJ}🔥",
        "葛\U000e0100城",  # the variant of a character that a Japanese name is written with
        "⠃⠗⠇",
        "x" * 200,
        "x\u0336y\u0336",
    ],
)
def test_what_people_are_called_stays(name: str) -> None:
    assert clean_name(name) == unicodedata.normalize("NFKC", name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("  Ada \t Lovelace \n", "Ada Lovelace"),
        ("Ada\r\nLovelace", "Ada Lovelace"),
        ("Ada\u00a0Lovelace", "Ada Lovelace"),
        ("\u3000Ada\u2003Lovelace\u205f", "Ada Lovelace"),
        ("ＡＤＡ", "ADA"),
        ("ﬁne", "fine"),
        ("①", "1"),
        ("Zoe\u0308", "Zoë"),
        ("\u202edrowssap", "drowssap"),
        ("\u2066a\u2069\u061c\u200f\u200e", "a"),
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("a\x00b\x1b[31mc\x7f\x9f", "ab[31mc"),
        ("a\u2028b\u2029c", "abc"),
        ("a\ud800b", "ab"),
        ("a\ue000b\U0010fffdc", "abc"),
        ("a\uffffb\u0378", "ab"),
        ("a\U000e0041b", "ab"),
        ("a\u034fb", "ab"),
        ("a\u115f\u1160\u3164\uffa0b", "ab"),
        ("a\u17b4\u17b5\u180b\u180fb", "ab"),
        ("a\u2800b", "a b"),
    ],
)
def test_what_cannot_be_seen_or_stands_for_something_else_goes(text: str, name: str) -> None:
    assert clean_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "\t\r\n",
        "\u3000\u00a0",
        "\u200b\u200b",
        ZWJ,
        ZWNJ * 3,
        f" {ZWJ} ",
        "\u202e",
        "\u3164",
        "\uffa0 \u115f",
        "\u2800",
        VS16,
        ACUTE,
        f" {ACUTE}{ACUTE}",
        f"{ZWJ}{ACUTE}",
        "\U000e0100",
        "\x00",
        "\ud800\udfff",
    ],
    ids=ascii,
)
def test_a_name_that_nobody_could_see_is_none(text: str) -> None:
    assert clean_name(text) == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"a{ZWJ}b", "ab"),
        (f"a{ZWNJ} b", "a b"),
        (f"a {ZWJ} b", "a b"),
        (f"👩{ZWJ}", "👩"),
        (f"{ZWJ}👩", "👩"),
        (f"👩{ZWJ}x", "👩x"),
        (f"👩{ZWJ} 👧", "👩 👧"),
        (f"👩{ZWJ}{ZWJ}👧", f"👩{ZWJ}👧"),
        (f"👩{ZWJ}\u202e", "👩"),
        (f"👩{ZWJ}\u200bx", "👩x"),
        (f"👩{ZWJ}\u200b👧", f"👩{ZWJ}👧"),
        (f"م{ZWNJ}\u200b", "م"),
    ],
)
def test_a_joiner_stays_only_where_it_joins_what_is_left(text: str, name: str) -> None:
    assert clean_name(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (tagged("gbeng", end=""), "🏴"),
        (tagged("gben"), "🏴"),
        (tagged("gbengx"), "🏴"),
        (tagged("GBENG"), "🏴"),
        (tagged("ustx"), "🏴"),
        (tagged("hidden text"), "🏴"),
        (tagged(""), "🏴"),
        (ENGLAND[1:], ""),
        (f"a{ENGLAND[1:]}", "a"),
        (f"🏁{ENGLAND[1:]}", "🏁"),
        (f"🏴{VS16}{ENGLAND[1:]}", f"🏴{VS16}"),
        (f"{ENGLAND[:3]}\u200b{ENGLAND[3:]}", "🏴"),
        (f"{ENGLAND}{ENGLAND[1:]}", ENGLAND),
        (f"{ENGLAND}\U000e0067", ENGLAND),
        (f"\u202e{ENGLAND}\u202e", ENGLAND),
    ],
)
def test_tags_stay_only_in_the_three_flags_that_are_spelled_with_them(text: str, name: str) -> None:
    assert clean_name(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{ACUTE}bob", "bob"),
        (f"  {ACUTE}{VS16}bob", "bob"),
        ("e" + "\u0336" * 63, "e" + "\u0336" * MAX_MARKS),
        ("e\u20dd" + "\u0336" * 63 + "x", "e\u20dd" + "\u0336" * (MAX_MARKS - 1) + "x"),
        (f"a{VS16}b", "ab"),
        (f"👩{VS16}{VS16}", f"👩{VS16}"),
    ],
)
def test_marks_stay_on_what_they_mark(text: str, name: str) -> None:
    assert clean_name(text) == name


def test_what_is_dropped_between_a_letter_and_its_mark_does_not_keep_them_apart() -> None:
    assert clean_name(f"Zo e\u200b{ACUTE}") == "Zo é"


# Text that is hard on names, far more often than chance would have it.
hostile = st.lists(
    st.one_of(
        st.sampled_from(
            f"ae1 \t{ZWNJ}{ZWJ}{VS16}{ACUTE}\u200b\u202e\u3164\u0336\u00a8\u20e3👩👧ميक्\ud800"
        ),
        st.characters(),
        st.characters(categories=["Mn", "Me", "Cf", "Zs"]),
        st.sampled_from([ENGLAND, WALES, *ENGLAND]),
    ),
    max_size=30,
).map("".join)


@given(hostile)
@example(f"e{ZWJ}{ACUTE}👧")
@example(f"👩{ZWJ}{VS16}a")
@example("\u1112\u1160\u1161")
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    name = clean_name(text)
    assert clean_name(name) == name


@given(hostile)
def test_a_clean_name_holds_nothing_that_hides_or_overflows(text: str) -> None:
    name = clean_name(text)
    name.encode()  # no lone surrogate
    assert name == " ".join(name.split())
    assert unicodedata.is_normalized("NFC", name)
    for flag in (ENGLAND, SCOTLAND, WALES):
        name = name.replace(flag, "🏴")
    kinds = [unicodedata.category(char) for char in name]
    assert not name or kinds[0] not in ("Mn", "Me")
    assert not {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"} & set(kinds)
    assert {char for char, kind in zip(name, kinds, strict=True) if kind == "Cf"} <= {ZWJ, ZWNJ}
    assert name[:1] not in (ZWJ, ZWNJ)
    assert name[-1:] not in (ZWJ, ZWNJ)


@given(st.text(st.characters(codec="ascii")))
def test_ascii_keeps_all_that_is_printable(text: str) -> None:
    spaced = "".join(char if char.isprintable() else " " * (char in "\t\r\n") for char in text)
    assert clean_name(text) == " ".join(spaced.split())


@pytest.mark.parametrize("text", ["ann", "a b", "user:42/é", "🦊", "\u202ex", f"a{ZWJ}b", "\u200b"])
def test_an_id_is_opaque(text: str) -> None:
    assert is_printable_id(text)


@pytest.mark.parametrize("text", ["a\x00", "\n", "a\x7f", "\x85", "a\ud800"], ids=ascii)
def test_an_id_holds_no_control_character(text: str) -> None:
    assert not is_printable_id(text)
