"""What README and docs show as commands and Python: every fenced block, and what its mark says of who runs it.

A block without a mark is run as it stands by `tests/nas/test_examples.py`. A comment before the fence, which no reader
sees, says otherwise:

    <!-- run by tests/test_device_page.py -->
    <!-- not run: fetches a model of gigabytes -->
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.md")})
RUN: Final = ("bash", "console", "python", "pycon")
SHOWN: Final = ("json", "text", "toml", "yaml")  # what is no example; a word of neither would be run by nobody
HIDDEN: Final = re.compile(r"^(?: +`{3,}| *~{3,})", re.MULTILINE)  # fences that `examples` does not see
_FENCE: Final = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n+)?^(?P<ticks>`{3,})(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=ticks)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A fenced block of a page.

    Attributes:
        page: Relative to the repository.
        line: Of its first line, from 1.
        language: As the fence says it; "" = none.
        text: What stands in it.
        mark: What the comment before it says; None = it has none.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_example(self) -> bool:
        """Whether it is something that a reader may run."""
        return self.language in RUN

    def commands(self) -> list[str]:
        """Its lines as a shell reads them: continued ones joined, without prompts and remarks."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        lines = (re.sub(r"\s+#\s.*$", "", line.removeprefix("$ ")).strip() for line in joined.splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def examples() -> Iterator[Example]:
    """Every fenced block, in the order of pages and lines."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            yield Example(
                page=str(page.relative_to(ROOT)),
                line=text.count("\n", 0, found.start("ticks")) + 2,
                language=found["language"].strip(),
                text=found["text"],
                mark=found["mark"],
            )
