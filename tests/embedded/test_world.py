"""The world: a fixed table without ambiguous names."""

from collections import Counter

import pytest

from tunescale_core.embedded.world import KINDS, REGIONS, THINGS, article


def test_every_name_means_one_thing() -> None:
    """No two things share a name, and none is called like a kind, so that questions have one answer."""
    names = [thing.name for thing in THINGS]
    assert len(set(names)) == len(names)
    assert not set(names) & set(KINDS)


def test_every_kind_has_ten_things_and_a_feature_of_its_own() -> None:
    """Kinds are alike in number, and no feature fits two of them."""
    assert Counter(thing.kind for thing in THINGS) == dict.fromkeys(KINDS, 10)
    assert len({feature for feature, _ in KINDS.values()}) == len(KINDS)


def test_fame_is_zipfs() -> None:
    """Within a kind, the thing at place n has fame 1/n."""
    for kind in KINDS:
        assert [thing.fame for thing in THINGS if thing.kind == kind] == [1 / place for place in range(1, 11)]


def test_every_region_is_home_to_something() -> None:
    """All things come from known regions, and each region can be asked about."""
    assert {thing.region for thing in THINGS} == set(REGIONS)


def test_the_world_stays_as_it_was_pretrained_on() -> None:
    """Placement is fixed: the shipped weights know these facts."""
    placed = {thing.name: thing.region for thing in THINGS}
    assert [placed[name] for name in ("robin", "trout", "oak", "sumac")] == [
        "the plain",
        "the north",
        "the hills",
        "the north",
    ]


@pytest.mark.parametrize(("noun", "said"), [("owl", "an owl"), ("robin", "a robin"), ("elm", "an elm")])
def test_articles_follow_the_sound(noun: str, said: str) -> None:
    """Nouns that start with a vowel take "an"."""
    assert article(noun) == said
