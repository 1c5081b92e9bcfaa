"""docs/algorithms.md says what the algorithms declare, and the two pages about them say what is so."""

from nas.config.algorithms import OURS
from nas.settings import described
from tests.algorithms import page
from tests.examples import ROOT


def test_the_page_is_current() -> None:
    written = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.algorithms docs/algorithms.md"


def test_every_algorithm_says_what_it_is_for_and_describes_its_settings() -> None:
    for kind in OURS.values():
        assert kind.declaration.use
        assert kind.declaration.objectives
        assert [name for name, info in described(kind.settings).items() if not info.description] == []
