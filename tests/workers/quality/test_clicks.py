"""Simulated users: the same for the same seed, about their topics, and what baselines see."""

from __future__ import annotations

from workers.quality.clicks import Visit, at_random, by_popularity, simulate

ROWS = [(f"text {number}", "abcdefgh"[number % 8]) for number in range(160)]
LABELS = dict(ROWS)


def test_a_seed_makes_the_same_users() -> None:
    assert simulate(ROWS, ROWS, 5, 1) == simulate(ROWS, ROWS, 5, 1) != simulate(ROWS, ROWS, 5, 2)


def test_history_and_clicks_are_mostly_about_one_or_two_labels() -> None:
    for visit in simulate(ROWS, ROWS, 20, 3):
        labels = sorted(LABELS[text] for text in visit.history)
        assert len(visit.history) == 10 and len(set(visit.shown)) == 50
        common = sorted(map(labels.count, set(labels)))[-2:]
        assert sum(common) >= 5
        assert visit.clicked and visit.clicked <= set(visit.shown)


def test_popularity_does_not_know_ones_own_click() -> None:
    visits = [
        Visit((), (0, 1, 2), frozenset({2})),
        Visit((), (0, 1), frozenset({1})),
        Visit((), (1, 2), frozenset({1})),
    ]
    assert by_popularity(visits)[0] == [1, 0, 2]


def test_chance_shuffles_what_was_shown() -> None:
    visits = simulate(ROWS, ROWS, 3, 1)
    for visit, order in zip(visits, at_random(visits, 1), strict=True):
        assert sorted(order) == sorted(visit.shown)
