"""The door of search spaces: what an algorithm asks of what may be chosen, whatever family of networks it is.

`UNetSpace` is one: blocks of a diffusers UNet. A space of another family (the depths of a transformer, say) has its own
architectures and actions; algorithms, the driver's steps and cost estimates know only what stands here. Its supernet is
a door of its own (`SupernetOf`), since building networks needs a framework and choosing them does not. Pure.
"""

from collections.abc import Hashable
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

import numpy as np

from search_spaces.actions import Sign


class Candidate(Hashable, Protocol):
    """An architecture: a value that hashes and compares by content."""

    @property
    def arch_id(self) -> str:
        """Digest of its content, never of weights."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain values that it can be read back from."""
        ...


class Edit(Hashable, Protocol):
    """One step between two architectures, with a text form such as "-resnet[mid,0]"; its order decides ties."""

    @property
    def sign(self) -> Sign:
        """Whether it removes or copies."""
        ...

    @property
    def inverse(self) -> Self:
        """What undoes it."""
        ...

    def apply(self, architecture: Any, /) -> Any:
        """The architecture after it.

        Raises:
            ValueError: It cannot be executed there.
        """
        ...

    def __lt__(self, other: Any, /) -> bool:
        """Whether it stands before another."""
        ...


class SearchSpace(Protocol):
    """All architectures that edits of one base can reach.

    Laws (`nas.testing.spaces`): every action has an inverse that leads back; what the actions reach lies in the space;
    removing never adds a parameter or a multiply-accumulate, copying never takes one away; `why_not` and the listed
    actions agree; the digest is that of content.
    """

    @property
    def base(self) -> Any:
        """The architecture of the base model."""
        ...

    @property
    def digest(self) -> str:
        """Digest of all that decides what is in the space."""
        ...

    @property
    def block_names(self) -> frozenset[str]:
        """Blocks of the base that actions are about: "resnet[mid,0]"."""
        ...

    def removals(self, architecture: Any, /) -> tuple[Any, ...]:
        """Every removal that can be executed."""
        ...

    def copies(self, architecture: Any, /) -> tuple[Any, ...]:
        """Every copy that can be executed."""
        ...

    def why_not(self, action: Any, /, *, architecture: Any) -> str | None:
        """Why an action cannot be executed; None when it can."""
        ...

    def touched(self, action: Any, /) -> frozenset[str]:
        """Names of the blocks that an action moves."""
        ...

    def takes_copy(self, action: Any, /, *, architecture: Any) -> bool:
        """Whether a removal takes a copy away, rather than a block of the base."""
        ...

    def check(self, architecture: Any, /) -> None:
        """Check that an architecture lies in the space.

        Raises:
            ValueError: It does not; the message lists every violation.
        """
        ...

    def sample(self, rng: np.random.Generator, /) -> Any:
        """An architecture drawn at random; every removal of the base has a chance to be in it."""
        ...

    def num_params(self, architecture: Any, /) -> int:
        """Parameters, as torch counts them in the materialised network."""
        ...

    def num_macs(self, architecture: Any, /) -> int:
        """Multiply-accumulates of one forward pass of one sample."""
        ...

    def summary(self, architecture: Any, /) -> str:
        """An architecture in a few words for people: "16 cross-attentions, 22 ResNets"."""
        ...


class SupernetOf(Protocol):
    """One network that computes every architecture of a space."""

    def switched(self, architecture: Any, /) -> AbstractContextManager[Any]:
        """The network computing an architecture for the time of a `with` block."""
        ...

    def materialise(self, architecture: Any, /) -> Any:
        """A network of its own with the same weights, that computes what `switched` does, bit for bit."""
        ...
