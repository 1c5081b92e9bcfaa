"""The value of an action: a loss as it is weighed, per millisecond saved.

    paper         mean / ms                                  SnapFusion (arXiv 2306.00980), Algorithm 1
    upper_bound   [max(mean, 0) + z s.e.] / ms               pessimism in the face of few prompts
    posterior     [E[theta | scores]] / ms                   `nas.values.belief`

The brackets count losses in whole indifferences e, at least one: [x] = e max(1, round(x / e)). So among actions that
cost about nothing the larger saving goes first, losses that nobody would tell apart tie, and what another machine's
rounding does to scores moves next to no decision. s.e. are moderated (`nas.values.sample`). Among copies the highest
value wins, so that there the *lower* bound max(mean - z s.e., 0) is what counts, and may be none at all.
"""

import numpy as np

from nas.values.belief import Belief
from nas.values.rule import ERRORS, Rule, ValueRule
from nas.values.sample import Floats, Losses


def weighed(losses: Losses, rule: ValueRule, /, *, highest: bool = False) -> Floats:
    """(K,) losses as the rule weighs them, in the score's unit.

    Args:
        losses: What is known.
        rule: How to weigh it.
        highest: Whether the highest values win, so that doubt counts against a high loss instead of a low one.
    """
    match rule.rule:
        case Rule.PAPER:
            return losses.means
        case Rule.UPPER_BOUND if highest:
            bounds: Floats = np.maximum(losses.means - ERRORS * losses.errors, 0.0)
        case Rule.UPPER_BOUND:
            bounds = np.maximum(losses.means, 0.0) + ERRORS * losses.errors
        case Rule.POSTERIOR:
            bounds = Belief.after(losses).means
    if rule.indifference == 0:
        return bounds
    steps: Floats = np.maximum(np.round(bounds / rule.indifference), 0.0 if highest else 1.0)
    return steps * rule.indifference


def values(losses: Losses, rule: ValueRule, /, *, highest: bool = False) -> Floats:
    """(K,) weighed losses per millisecond saved."""
    found: Floats = weighed(losses, rule, highest=highest) / losses.saved_ms
    return found
