"""The value of an action: a loss as it is weighed, per millisecond saved.

    paper         mean / ms                                        SnapFusion (arXiv 2306.00980), Algorithm 1
    upper_bound   max(max(mean, 0) + z s.e., e) / ms               pessimism in the face of few prompts
    posterior     max(E[theta | scores], e) / ms                   `nas.values.belief`

e is the indifference: nothing is known to cost less than it, so that among actions that cost about nothing the larger
saving goes first, and what noise does to such losses moves nothing. s.e. are moderated (`nas.values.sample`). Among
copies the highest value wins, so that there the *lower* bound max(mean - z s.e., 0) is what counts.
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
            return np.maximum(losses.means - ERRORS * losses.errors, 0.0)
        case Rule.UPPER_BOUND:
            bounds: Floats = np.maximum(losses.means, 0.0) + ERRORS * losses.errors
        case Rule.POSTERIOR:
            bounds = Belief.after(losses).means
    return bounds if highest else np.maximum(bounds, rule.indifference)


def values(losses: Losses, rule: ValueRule, /, *, highest: bool = False) -> Floats:
    """(K,) weighed losses per millisecond saved."""
    found: Floats = weighed(losses, rule, highest=highest) / losses.saved_ms
    return found
