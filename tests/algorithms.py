"""The table of algorithms in docs/algorithms.md, from what they declare of themselves.

python -m tests.algorithms docs/algorithms.md      writes the page
"""

import sys
from pathlib import Path
from typing import Final

from nas.config.algorithms import OURS
from nas.settings import described

HEAD: Final = """# Search algorithms

This page is written by `python -m tests.algorithms docs/algorithms.md`, from what each algorithm declares of itself.

`search.algorithm` names one, `search.settings` holds its settings (those of `evolving` stand in `search` itself):

```yaml
search:
  algorithm: local_search
  target_ratio: 0.7
  settings:
    num_evaluations: 24
```

`nas init mine.yaml --algorithm local_search` writes a search with an algorithm and all of its settings, each with its
meaning. A file with settings of `evolving` (`removals_per_round`, `overshoot`) must lose them where it names another
algorithm; the error says what to type instead.

`evolving` is the paper's: it trains between its rounds, so that weights adapt to each removal. All others train once
and then score batches of architectures with the same weights; the best one is recovered at the end. A round of such a
run is a batch. They make no copies, since copies that nobody trains change nothing. All of them take every
[limit and list of targets](many_devices.md), keep the limits in whatever they score for its own sake, score nothing
twice, go on after a kill as if there had been none, and propose the same for any number of workers:
`python -m experiments.sameness algorithms [NAME...]` kills and spreads each, and compares.

Which one is best for which space is measured, without a model, by `nas bench` ([the tabular benchmark](tabular.md)). To
write another: [your own algorithm](your_own_algorithm.md).
"""
COLUMNS: Final = ("name", "where from", "objectives", "takes losses to add up", "costs", "take it for")


def page() -> str:
    """docs/algorithms.md."""
    lines = [HEAD, "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for kind in OURS.values():
        said = kind.declaration
        cells = (f"`{said.name}`", said.paper, ", ".join(said.objectives))
        lines.append(
            "| " + " | ".join((*cells, "yes" if said.assumes_additivity else "no", said.cost, said.use)) + " |"
        )
    lines.append("\n## Settings\n")
    for kind in OURS.values():
        lines += [f"### {kind.declaration.name}\n", "| setting | default | what it is |", "|---|---|---|"]
        for name, info in described(kind.settings).items():
            default = "must be given" if info.is_required() else info.get_default(call_default_factory=True)
            lines.append(f"| `{name}` | {default!s} | {info.description} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
