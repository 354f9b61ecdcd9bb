"""A crowd that plays: who they are and what they score. No network and no clock; the same seed is the same crowd."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Any, NamedTuple


class Mode(StrEnum):
    """How a player's score moves from one event to the next."""

    CLIMB = "climb"
    """Totals that only rise: for boards where the best or the latest score counts, and more is better."""
    FALL = "fall"
    """Totals that only fall, as lap times do: where less is better."""
    ADD = "add"
    """What each play adds: for boards that sum up."""
    RANDOM = "random"
    """Any score: for boards that keep the latest."""


class _Script(NamedTuple):
    """Names of one script; ``weight`` of them among all, and in which order they are said."""

    weight: int
    order: str
    given: str
    family: str


_SCRIPTS = (
    _Script(
        weight=12,
        order="{given} {family}",
        given="""Ada Ana Amara Björn Camille Chloé Diego Emre Fatou Freja Grace Hanna Ifeoma Inês Jack Jonas Kofi Lena
            Liam Łukasz Mara Mateo Maya Noah Nora Oscar Priya Quinn Rosa Søren Tariq Thảo Uma Vera Wanjiru Zoë""",
        family="""Adeyemi Andersson Baker Castillo Costa Dubois Evans Fischer García Haddad Ibsen Jensen Kaya Kovács
            Lindqvist Mbeki Moreau Murphy Nguyễn Novák Okafor Petit Quiroga Rossi Santos Šimić Smith Turner Vargas
            Weber Yılmaz Zhou""",
    ),
    _Script(
        weight=2,
        order="{given} {family}",
        given="Богдан Данило Микита Тарас Юрий Алекса Никола",
        family="Коваль Шевченко Бондаренко Петренко Ткач",
    ),
    _Script(
        weight=1,
        order="{given} {family}",
        given="Αθηνά Γιώργος Ελένη Κώστας Μαρία Νίκος",
        family="Αγγέλου Δημητρίου Ιωάννου Νικολάου Παππάς",
    ),
    _Script(
        weight=1,
        order="{given} {family}",
        given="أحمد زينب سلمى عمر ليلى يوسف",
        family="الحداد النجار حسن خوري سالم",
    ),
    _Script(
        weight=1,
        order="{given} {family}",
        given="אורי דנה יעל נועם תמר",
        family="אברהם כהן לוי מזרחי פרץ",
    ),
    _Script(
        weight=2,
        order="{given} {family}",
        given="अदिति अर्जुन आरव दिया मीरा रोहन",
        family="कपूर गुप्ता जोशी पटेल शर्मा सिंह",
    ),
    _Script(
        weight=1,
        order="{given} {family}",
        given="กานต์ ชนัญ ณัฐ ปิยะ มาลี",
        family="แก้วใส ใจดี ทองดี ศรีสุข",
    ),
    _Script(
        weight=2,
        order="{family}{given}",
        given="伟 娜 静 浩然 子涵 雨桐 佳怡",
        family="王 李 张 刘 陈 杨 赵",
    ),
    _Script(
        weight=2,
        order="{family} {given}",
        given="さくら 翔太 結衣 蓮 陽菜 大輝",
        family="佐藤 鈴木 高橋 田中 伊藤 渡辺",
    ),
    _Script(
        weight=1,
        order="{family}{given}",
        given="민준 서연 지우 하은 도윤",
        family="김 이 박 최 정",
    ),
)

START = 100
LAP = 90_000
"""Where totals begin: of those that rise, and of those that fall."""
GAIN = 40
"""The usual difference between two scores of one player, at most."""
ENOUGH = 500
"""Different names; a larger crowd has namesakes, as crowds do."""
REFORM = 0.03
"""Chance that a play changes a player's form: it is streaks that make a board turn over."""


class Player:
    """One of the crowd. ``total`` is its score as far as it knows."""

    __slots__ = ("form", "id", "known", "name", "total")

    def __init__(self, id: str, name: str, total: int, form: float) -> None:  # noqa: A002
        self.id = id
        self.name = name
        self.total: float = total
        self.form = form
        self.known = False
        """Whether the board has told it its score."""


class Crowd:
    """``size`` players; `play` lets the next one score.

    >>> crowd = Crowd(3, seed=1, mode=Mode.ADD)
    >>> sorted(crowd.play())
    ['name', 'player', 'score']
    """

    def __init__(self, size: int, seed: int, mode: Mode) -> None:
        self.mode = mode
        self._random = random.Random(seed)
        start = LAP if mode is Mode.FALL else START
        self.players = [
            Player(f"sim-{number}", name, start, self._form())
            for number, name in enumerate(names(size, self._random), 1)
        ]
        self._by_id = {player.id: player for player in self.players}

    def play(self, group: int = 0, groups: int = 1) -> dict[str, Any]:
        """The event of one player of the ``group``-th of so many groups, into which the crowd is dealt like cards."""
        group %= len(self.players)
        count = (len(self.players) - group - 1) // groups + 1
        player = self.players[group + groups * self._random.randrange(count)]
        event = {"player": player.id, "score": self._score(player)}
        return event if player.known else {**event, "name": player.name}

    def learn(self, player: str, score: float) -> None:
        """The board says what a player's score is: it may know the player from an earlier crowd."""
        found = self._by_id[player]
        if not found.known:
            found.total = score
        elif self.mode is Mode.CLIMB:
            found.total = max(found.total, score)
        elif self.mode is Mode.FALL:
            found.total = min(found.total, score)
        found.known = True

    def _score(self, player: Player) -> float:
        if self._random.random() < REFORM:
            player.form = self._form()
        gain = 1 + int(self._random.random() * GAIN * player.form)
        match self.mode:
            case Mode.ADD:
                return gain
            case Mode.RANDOM:
                return self._random.randrange(100 * GAIN)
            case Mode.CLIMB:
                player.total += gain
            case Mode.FALL:
                player.total -= gain
        return player.total

    def _form(self) -> float:
        return self._random.uniform(0.2, 1.0) ** 2


def names(count: int, chance: random.Random) -> list[str]:
    """Names of people, in several scripts; the first `ENOUGH` are all different.

    >>> names(2, random.Random(7)) == names(2, random.Random(7))
    True
    """
    weights = [script.weight for script in _SCRIPTS]
    found: dict[str, None] = {}
    repeated: list[str] = []
    while len(found) + len(repeated) < count:
        (script,) = chance.choices(_SCRIPTS, weights)
        given, family = chance.choice(script.given.split()), chance.choice(script.family.split())
        name = script.order.format(given=given, family=family)
        if name not in found:
            found[name] = None
        elif len(found) >= ENOUGH:
            repeated.append(name)
    return [*found, *repeated]
