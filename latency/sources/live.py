"""Live measurement as a source: whole UNets on this machine, each architecture once.

Nothing is added up, so nothing has to add up; but every architecture that a search asks for costs seconds to minutes,
and a round asks for all its removals. Each is measured beside the base model by the protocol that calibrates tables
(`latency.measuring.calibrate`), and its price stays in a file: a search that goes on sees the same prices, and the
file of another machine is refused.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latency.blocks.models import latency_model
from latency.pricing.scenario import LatencyTableError
from latency.pricing.source import Scenario
from latency.sources.kind import SourceContext, SourceKind
from latency.sources.machine import DIGEST_LENGTH, BackendMaker, LiveSettings, Machine, geometry
from search_spaces import UNetSpace, space_from_config

if TYPE_CHECKING:
    from latency.sources.live_prices import LivePrices


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSource:
    """This machine, asked by a search.

    Attributes:
        machine: The machine.
    """

    machine: Machine

    @property
    def digest(self) -> str:
        """Digest of machine, runtime, model and protocol; the prices themselves stand in the cache."""
        content = json.dumps({"source": "live"} | self.machine.conditions(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]

    @property
    def scenario(self) -> Scenario:
        """This machine."""
        conditions = self.machine.conditions()
        return Scenario(
            model=self.machine.model.name,
            device=conditions["device"]["name"],
            compute_unit=conditions["device"]["compute_unit"],
            runtime=conditions["runtime"]["name"],
        )

    @property
    def distrust(self) -> str | None:
        """Nothing: it is measured whole, on the machine itself."""
        return None

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> "LivePrices":
        """Prices at the model's own latent size; nothing is measured before the first is asked for.

        Raises:
            LatencyTableError: The space is another model's.
            SampleLogError: The cache is another machine's, or of other settings: every difference.
        """
        from latency.sources.live_prices import LivePrices

        ours = space_from_config(self.machine.model.config, max_copies=space.max_copies)
        if geometry(ours) != geometry(space):
            differing = [name for name, part in geometry(ours).items() if part != geometry(space)[name]]
            raise LatencyTableError(
                f"the space that is searched must be that of the model that is measured, {self.machine.model.name}, "
                "but they "
                f"differ in {', '.join(differing)}; give the search's own base model as `model`"
            )
        if not self.machine.cache.parent.is_dir():
            raise FileNotFoundError(
                f"there is no folder {self.machine.cache.parent} for the measured prices "
                f"{self.machine.cache.name}; make it first"
            )
        prices = LivePrices(self.machine, space=space, context_tokens=context_tokens)
        prices.check_cache()
        return prices


def _make(settings: LiveSettings, context: SourceContext) -> LiveSource:
    folder = context.folder / settings.model
    exports = None if settings.exports is None else context.folder / settings.exports
    machine = Machine(
        settings=settings,
        model=latency_model(folder if folder.exists() else Path(settings.model)),
        backend=BackendMaker(settings=settings, exports=exports),
        cache=context.folder / settings.cache,
        on_report=context.on_report,
    )
    machine.backend()  # one that is missing here says so now
    return LiveSource(machine=machine)


KIND = SourceKind(
    about="whole UNets, measured on this machine with any backend",
    settings=LiveSettings,
    make=_make,
    paths=("model", "cache", "exports"),
)
