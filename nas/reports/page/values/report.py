"""What a report says as a whole: its answers, next steps, figures and provenance."""

from dataclasses import dataclass

from nas.reports.page.values.quantities import Numbers, ScoreLabel, State
from nas.reports.page.values.rounds import BlockStory, Decision, Picture, RoundView, Scored, Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question that a reader brings, and what the run says to it."""

    question: str
    short: str
    words: str
    block: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """What one would do next, why, and the command for it; "" where there is none."""

    title: str
    why: str
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure in the page: its name for `nas plot`, and an SVG whose ids are its own."""

    name: str
    title: str
    svg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where all this comes from.

    Attributes:
        command: That makes the run again, or goes on with it.
        path: The run directory's name.
        rows: (what, value).
        digests: By name.
        libraries: Versions by name.
        config: The config as YAML.
    """

    command: str
    path: str
    rows: tuple[tuple[str, str], ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    libraries: tuple[tuple[str, str], ...] = ()
    config: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """All that a report says.

    Attributes:
        title: The run's name.
        state: Of the run.
        stop: Why the search ended; "" while it did not.
        ended: When the last event was written, as text; "" where it is not known.
        score: What it was by.
        headline: The result in a sentence.
        standfirst: The result in two more.
        notices: What is missing or damaged.
        numbers: Of the story.
        answers: To the questions that readers bring.
        next_steps: The most useful first.
        blocks: Of the base, in the order of the forward pass.
        rounds: In order.
        decisions: In order.
        evaluations: In order of scoring.
        pairs: The base's pictures beside the result's: (caption, base, found).
        pictures: All pictures by key, each once.
        figures: Drawn by matplotlib.
        provenance: Where all this comes from.
        left_out: What the page leaves out to stay small.
    """

    title: str
    state: State
    stop: str
    ended: str
    score: ScoreLabel
    headline: str
    standfirst: tuple[str, ...]
    notices: tuple[str, ...]
    numbers: Numbers
    answers: tuple[Answer, ...]
    next_steps: tuple[NextStep, ...]
    blocks: tuple[BlockStory, ...]
    rounds: tuple[RoundView, ...]
    decisions: tuple[Decision, ...]
    evaluations: tuple[Scored, ...]
    pairs: tuple[tuple[Shown, Shown], ...]
    pictures: tuple[Picture, ...]
    figures: tuple[Figure, ...]
    provenance: Provenance
    left_out: tuple[str, ...] = ()

    @property
    def opens_at(self) -> int:
        """The round that is shown first, by its place: the result's, or as yet the last."""
        return next((view.index for view in self.rounds if view.is_found), len(self.rounds) - 1)
