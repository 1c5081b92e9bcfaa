"""A latency table as a source: measured or imported rows, added up."""

from dataclasses import dataclass
from pathlib import Path

from latency.documents.shipped import read_latency_table
from latency.pricing.fit import check_coverage, check_workload
from latency.pricing.pricer import Pricer
from latency.pricing.source import Scenario
from latency.pricing.table import LatencyTable
from latency.sources.kind import SourceContext, SourceKind
from latency.trust.calibration import distrust
from search_spaces import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """Settings of a table.

    Attributes:
        path: Its file (JSON), or the name of a shipped one.
    """

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSource:
    """A table, asked by a search.

    Attributes:
        table: The table.
    """

    table: LatencyTable

    @property
    def digest(self) -> str:
        """The table's own."""
        return self.table.digest

    @property
    def scenario(self) -> Scenario:
        """What the table says of model, device and runtime."""
        device = self.table.device
        return Scenario(
            model=self.table.workload.base_model,
            device=device.name,
            compute_unit=device.compute_unit,
            runtime=self.table.runtime.name,
        )

    @property
    def distrust(self) -> str | None:
        """What calibration says against it, or that there was none."""
        return distrust(self.table)

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> Pricer:
        """Prices at the model's own latent size.

        Raises:
            WorkloadMismatchError: The table is for another workload.
            MissingRowsError: It does not price every block that the space can reach.
        """
        check_workload(self.table, space=space, context_tokens=context_tokens)
        check_coverage(self.table, space=space, sizes={"context_tokens": context_tokens})
        return Pricer(self.table, space=space, context_tokens=context_tokens)


def _make(settings: TableSettings, context: SourceContext) -> TableSource:
    return TableSource(table=read_latency_table(context.folder / Path(settings.path)))


KIND = SourceKind(about="a latency table, measured or imported", settings=TableSettings, make=_make, paths=("path",))
