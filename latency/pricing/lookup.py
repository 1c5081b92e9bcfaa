"""Pricing: the predicted latency of a million architectures of one space in seconds.

Every gene changes the cost of its own position only, so a forward pass costs a fixed part plus one looked-up number per
gene. `Pricing.milliseconds` equals `LatencyTable.predict` up to the order of the sum (the last bits of a float). Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import fsum, nan
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from latency.pricing.fit import check_workload
from latency.pricing.source import BlockPrices
from latency.pricing.table import LatencyTable
from latency.timing.estimator import Array
from search_spaces import Architecture, ArchitectureError, BlockKind, BlockSignature, Site, UNetSpace

Genes: TypeAlias = npt.NDArray[np.integer]
_Gene: TypeAlias = tuple[str, int, bool]  # stage, position, whether it counts cross-attentions
GENES_PER_POSITION: Final = 2


class GenePrices:
    """The prices of one space, ready to be looked up by gene.

    Genes are whole numbers (n, 2 x positions): `resnets` and `cross_attentions` of every position of the base model, in
    the order of the forward pass. Architectures that have lost whole positions have no genes here.

    Args:
        blocks: What blocks cost.
        space: The space.
        sizes: Latent size and text tokens, as `UNetSpace.sites` takes them.

    Raises:
        ValueError: Some block that the space can reach has no price.
    """

    def __init__(self, blocks: BlockPrices, /, *, space: UNetSpace, sizes: Mapping[str, int]) -> None:
        signatures = space.reachable_signatures(**sizes)
        blocks.require(signatures)
        self._space = space
        self._positions = tuple(space.base.positions())
        self._own = [(place, position.source) for place, position in self._positions]
        prices = {signature: blocks.milliseconds(signature) for signature in signatures}
        base_sites = space.sites(space.base, **sizes)
        self.fixed_ms = fsum((blocks.rest_ms, *(prices[site.signature] for site in base_sites if site.position < 0)))
        ladder = _counting_up(space)
        self._prices: Array = np.full((GENES_PER_POSITION * len(self._positions), len(ladder)), nan)
        for architecture in ladder:
            costs = _gene_costs(space.sites(architecture, **sizes), prices)
            for column, (gene, count) in enumerate(_counts(architecture)):
                self._prices[column, count] = costs[gene]

    def milliseconds(self, genes: Genes, /) -> Array:
        """Predicted latencies.

        Args:
            genes: Architectures (n, 2 x positions).

        Returns:
            Milliseconds of one forward pass of each (n,).

        Raises:
            ArchitectureError: Some genes are of no architecture of the space; the message is about the first.
        """
        num_genes, num_counts = self._prices.shape
        if genes.ndim != 2 or genes.shape[1] != num_genes:
            raise ArchitectureError(f"genes of this space must be of shape (n, {num_genes}), but got {genes.shape}")
        known = (genes >= 0) & (genes < num_counts)
        if not known.all():
            self._refuse(genes, ~known.all(axis=1))
        total = np.full(len(genes), self.fixed_ms)
        for prices, counts in zip(self._prices, genes.T, strict=True):
            total += prices[counts]
        if (outside := np.isnan(total)).any():
            self._refuse(genes, outside)
        return total

    def has_genes(self, architecture: Architecture, /) -> bool:
        """Whether an architecture has every position of the base model and no other."""
        return [(place, position.source) for place, position in architecture.positions()] == self._own

    def genes(self, architectures: Sequence[Architecture], /) -> npt.NDArray[np.int64]:
        """Genes of architectures (n, 2 x positions).

        Raises:
            ArchitectureError: One has other positions than the base model.
        """
        rows = []
        for architecture in architectures:
            if not self.has_genes(architecture):
                raise ArchitectureError(
                    f"an architecture must have every position of the base model to have genes, but "
                    f"{len(tuple(architecture.positions()))} of {len(self._positions)} are there; price it with "
                    "`LatencyTable.predict`"
                )
            rows.append([count for _, count in _counts(architecture)])
        return np.asarray(rows, dtype=np.int64).reshape(len(rows), len(self._prices))

    def architecture(self, genes: Sequence[int] | Genes, /) -> Architecture:
        """The architecture of one row of genes (2 x positions,).

        Raises:
            ArchitectureError: It is not in this space.
        """
        if len(genes) != len(self._prices):
            raise ArchitectureError(
                f"an architecture of this space has {len(self._prices)} genes, but got {len(genes)}"
            )
        architecture = self._space.base
        pairs = zip(genes[::GENES_PER_POSITION], genes[1::GENES_PER_POSITION], strict=True)
        for (place, position), (resnets, cross_attentions) in zip(self._positions, pairs, strict=True):
            gene = replace(position, resnets=int(resnets), cross_attentions=int(cross_attentions))
            architecture = architecture.with_position(place, gene)
        self._space.check(architecture)
        return architecture

    def _refuse(self, genes: Genes, outside: npt.NDArray[np.bool_]) -> None:
        first = int(np.flatnonzero(outside)[0])
        try:
            self.architecture(genes[first])
        except ArchitectureError as error:
            raise ArchitectureError(
                f"{int(outside.sum())} of {len(genes)} rows of genes are in no architecture; row {first}: {error}"
            ) from error
        raise AssertionError("what has no price is not in the space")


class Pricing(GenePrices):
    """The prices of one space on one table, ready to be looked up.

    Args:
        table: The table; latent size and batch are its own.
        space: The space; it holds the table's base model.
        context_tokens: Text tokens that cross-attentions read; None = the table's.

    Raises:
        WorkloadMismatchError: The table is for another workload.
        MissingRowsError: It does not price every block that the space can reach.
    """

    def __init__(self, table: LatencyTable, /, *, space: UNetSpace, context_tokens: int | None = None) -> None:
        sizes = table.workload.sizes
        check_workload(table, space=space, **{**sizes, "context_tokens": context_tokens or sizes["context_tokens"]})
        super().__init__(table, space=space, sizes=sizes)


def _counts(architecture: Architecture) -> list[tuple[_Gene, int]]:
    """Every gene of an architecture and its value, in the order of the columns."""
    return [
        ((place, position.source, attends), position.cross_attentions if attends else position.resnets)
        for place, position in architecture.positions()
        for attends in (False, True)
    ]


def _counting_up(space: UNetSpace) -> tuple[Architecture, ...]:
    """Architectures that hold every value of every gene: all of them at 0, at 1, ..., each as far as it goes."""
    architecture = space.base
    for place, position in space.base.positions():
        architecture = architecture.with_position(place, replace(position, resnets=0, cross_attentions=0))
    rungs = [architecture]
    while actions := space.copies(architecture):
        for action in actions:
            architecture = action.apply(architecture)
        rungs.append(architecture)
    return tuple(rungs)


def _gene_costs(sites: Iterable[Site], prices: Mapping[BlockSignature, float]) -> dict[_Gene, float]:
    """What every gene of an architecture costs, in ms."""
    costs: defaultdict[_Gene, float] = defaultdict(float)
    for site in sites:
        if site.position >= 0:
            costs[site.stage, site.position, site.signature.kind is BlockKind.CROSS_ATTENTION] += prices[site.signature]
    return costs
