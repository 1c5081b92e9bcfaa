"""A formula as a source: for a device that has no table yet. It prices every space."""

from dataclasses import dataclass

from latency.pricing.formula import Formula
from latency.pricing.pricer import Pricer
from latency.pricing.source import Scenario
from latency.sources.kind import SourceContext, SourceKind
from search_spaces import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class FormulaSource:
    """A formula, asked by a search.

    Attributes:
        formula: The formula.
    """

    formula: Formula

    @property
    def digest(self) -> str:
        """The formula's own."""
        return self.formula.digest

    @property
    def scenario(self) -> Scenario:
        """The names that the formula was given."""
        f = self.formula
        return Scenario(model=f.model, device=f.device, compute_unit=f.compute_unit, runtime=f.runtime)

    @property
    def distrust(self) -> str | None:
        """That nobody measured."""
        return (
            f"latencies are a formula's, which states an error of {self.formula.relative_error:.0%} of itself; nobody "
            "compared it with measured architectures: `nas latency measure` makes a table of a device"
        )

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> Pricer:
        """Prices at the model's own latent size."""
        return Pricer(self.formula, space=space, context_tokens=context_tokens)


def _make(formula: Formula, context: SourceContext) -> FormulaSource:
    return FormulaSource(formula=formula)


KIND = SourceKind(
    about="milliseconds linear in MACs, parameters and blocks, with a stated error", settings=Formula, make=_make
)
