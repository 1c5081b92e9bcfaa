"""What a report says, as frozen values: made by pure functions from a run's frames, and rendered by templates.

Numbers keep their units in their names; scores are in the unit of the score that the search was by.
"""

from nas.reports.page.values.quantities import Estimate, Measured, Numbers, ScoreLabel, Spent, State
from nas.reports.page.values.report import Answer, Figure, NextStep, Provenance, ReportData
from nas.reports.page.values.rounds import BlockState, BlockStory, Decision, Picture, RoundView, Scored, Shown

__all__ = [
    "Answer",
    "BlockState",
    "BlockStory",
    "Decision",
    "Estimate",
    "Figure",
    "Measured",
    "NextStep",
    "Numbers",
    "Picture",
    "Provenance",
    "ReportData",
    "RoundView",
    "ScoreLabel",
    "Scored",
    "Shown",
    "Spent",
    "State",
]
