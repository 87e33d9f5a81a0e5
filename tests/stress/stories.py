"""What clients and thieves do with a session. Each story is played on a session, or two, of its own."""

from collections.abc import Callable
from functools import partial

from tests.stress.history import Must
from tests.stress.stage import Stage, Tokens

Story = Callable[[Stage], None]


def steady(stage: Stage) -> None:
    """Play a client that always sends its newest token, busy for a while and idle for a while."""
    tokens = stage.sign_in()
    for _ in range(3):
        for _ in range(8):
            tokens = stage.served(tokens)
        stage.grow_old()
    stage.look(tokens, Must.SERVE)


def three_tabs(stage: Stage) -> None:
    """Wake three tabs of one browser at once, again and again; all go on with what they got."""
    tokens = stage.sign_in()
    for _ in range(3):
        for _ in range(3):
            got = stage.together(*[partial(stage.served, tokens)] * 3)
            tokens = max(got, key=lambda pair: pair.generation)
        stage.grow_old()
    stage.look(tokens, Must.SERVE)


def resent(stage: Stage) -> None:
    """Repeat requests at once, though they were answered, and at times again."""
    tokens = stage.sign_in()
    for _ in range(3):
        for _ in range(2):
            old, tokens = tokens, stage.served(tokens)
            for _ in range(stage.rng.randrange(1, 3)):
                tokens = stage.served(old)
        stage.grow_old()
    stage.served(tokens)


def lost_answer(stage: Stage) -> None:
    """Lose answers; the client asks again at once, or within the recovery, with the token that it has."""
    tokens: Tokens | None = stage.sign_in()
    for round_ in range(5):
        if tokens is None:
            return  # what was lost arrived so late that it was stale: the model tells
        stage.lose(tokens)
        stage.pause(0.05)
        if round_ == 2:
            stage.grow_old()
        again = stage.refresh(tokens)
        tokens = again and stage.refresh(again)


def left_behind(stage: Stage) -> None:
    """Recover a lost answer; whoever has what was lost is refused after the grace, and all is over."""
    tokens = stage.sign_in()
    lost = stage.served(tokens)
    stage.grow_old()
    recovered = stage.served(tokens)
    current = stage.served(recovered)
    stage.grow_old()
    stage.refused(lost)
    stage.refused(current)
    stage.look(current, Must.REFUSE)


def logged_out(stage: Stage) -> None:
    """Race a logout with refreshes by other tabs; nothing of the session is any good when it has returned."""
    tokens = stage.sign_in()
    for _ in range(stage.rng.randrange(4)):
        tokens = stage.served(tokens)
    stage.grow_old()
    got: list[Tokens | None] = stage.together(
        lambda: stage.refresh(tokens), lambda: stage.log_out(tokens), lambda: stage.refresh(tokens)
    )
    for pair in (tokens, *filter(None, got)):
        stage.refused(pair)
        stage.look(pair, Must.REFUSE)
    stage.log_out(tokens)


def all_ended(stage: Stage) -> None:
    """End all sessions of a user while both refresh; a sign-in that follows lives."""
    one, other = stage.sign_in(), stage.sign_in()
    for _ in range(3):
        one, other = stage.served(one), stage.served(other)
    stage.grow_old()
    got: list[Tokens | None] = stage.together(
        lambda: stage.refresh(one), lambda: stage.end_all(one), lambda: stage.refresh(other)
    )
    for pair in (one, other, *filter(None, got)):
        stage.refused(pair)
    again = stage.sign_in()
    stage.look(stage.served(again), Must.SERVE)
    stage.refused(other)


def neighbours(stage: Stage) -> None:
    """End one of a user's sessions, then another by theft; the third is left alone."""
    one, other = stage.served(stage.sign_in()), stage.sign_in()
    stage.log_out(one)
    other = stage.served(other)
    stolen = stage.sign_in()
    current = stage.served(stage.served(stolen))
    stage.grow_old()
    stage.served(current)
    stage.refused(stolen)
    stage.look(stage.served(other), Must.SERVE)


def stale_thief(stage: Stage) -> None:
    """Let a thief present a token that was superseded long ago: nobody is served any more."""
    tokens = stage.sign_in()
    stolen = tokens
    for _ in range(4):
        tokens = stage.served(tokens)
    stage.grow_old()
    tokens = stage.served(stage.served(tokens))
    stage.refused(stolen)
    stage.refused(tokens)
    stage.look(tokens, Must.REFUSE)


def quick_thief(stage: Stage) -> None:
    """Let a thief spend the current token; once both have spoken again after the grace, all is over."""
    tokens = stage.served(stage.sign_in())
    stolen = stage.refresh(tokens)
    stage.grow_old()
    honest = stage.refresh(tokens)
    stage.grow_old()
    for pair in filter(None, (stolen, honest)):
        stage.refresh(pair)
    for pair in filter(None, (stolen, honest)):
        stage.refused(pair)


def any_thief(stage: Stage) -> None:
    """Let a thief who has every token ever given present any of them at any time, while the client goes on."""
    known = [stage.sign_in()]
    tokens: Tokens | None = known[0]
    long_pauses = stage.rng.sample(range(10), k=2)
    for round_ in range(10):
        if tokens is None:
            break
        if round_ in long_pauses:
            stage.grow_old()
        stolen = stage.rng.choice(known)
        tokens, theirs = stage.together(partial(stage.refresh, tokens), partial(stage.refresh, stolen))
        known += [pair for pair in (tokens, theirs) if pair]
    for pair in stage.rng.sample(known, k=min(5, len(known))):
        stage.refresh(pair)


def hurried(stage: Stage) -> None:
    """Rotate a hundred times within a second or two, then present one that is stale. For no grace and no recovery."""
    chain = [stage.sign_in()]
    for _ in range(100):
        chain.append(stage.served(chain[-1]))
    stage.refused(stage.rng.choice(chain[:-1]))
    stage.refused(chain[-1])


HONEST: tuple[Story, ...] = (steady, three_tabs, resent, steady, three_tabs)
"""Stories that trouble below may stretch: none relies on being quick, and nothing in them ends a session."""
ENDING: tuple[Story, ...] = (logged_out, all_ended)
TIMED: tuple[Story, ...] = (neighbours, lost_answer, left_behind, stale_thief, quick_thief, any_thief)
"""Stories that wait until a grace is over."""
EVERY: tuple[Story, ...] = (*HONEST, *ENDING, *ENDING, *TIMED)
