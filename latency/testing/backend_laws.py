"""The laws of a backend, for a test class that inherits them and has a fixture.

class TestMyBackend(BackendLaws):
    @pytest.fixture
    def backend(self):
        return MyBackend(threads=1)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from latency.backends.backend import Backend
from latency.blocks.modules import Inputs, ModuleCall, isolated_blocks, whole_model
from latency.plugins import missing_members
from latency.timing.estimator import Array
from search_spaces import BlockKind, space_from_config
from search_spaces.supernet import Supernet

# One of every kind of block but the smallest: 9x9 latents, so that the upsampling must be told its size.
TINY_UNET = {
    "sample_size": 9,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "mid_block_type": None,
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
}
TOKENS = 16


class BackendLaws:
    """What every backend promises.

    Attributes:
        rtol: Relative difference that outputs may have from torch's.
        atol: Absolute difference that outputs may have from torch's.
    """

    rtol: ClassVar[float] = 1e-4
    atol: ClassVar[float] = 2e-5

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend; to be overridden."""
        raise NotImplementedError("give your class a fixture `backend`")

    @pytest.fixture
    def calls(self, backend: Backend) -> dict[str, ModuleCall]:
        """A call of every kind of block, and of a whole tiny UNet, on the backend's torch device."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            unet = UNet2DConditionModel(**TINY_UNET).eval().to(backend.torch_device)
        supernet = Supernet(unet, space=space_from_config(unet.config, max_copies=0))
        inputs = Inputs(unet, batch=1, context_tokens=TOKENS, seed=0)
        found = {str(s.kind): call for s, call in isolated_blocks(supernet, inputs, height=9, width=9).items()}
        whole = whole_model(supernet.unet, inputs, space=supernet.space, height=9, width=9)
        assert found.keys() == {str(kind) for kind in BlockKind} - {str(BlockKind.REST)}
        return found | {"whole model": whole}

    def values(self, output: Any) -> Array | None:
        """What a prepared call returned, as an array; None = not to be had. To be overridden where needed."""
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, torch.Tensor):
            return first.detach().cpu().numpy().astype(np.float64)
        if hasattr(first, "numpy"):
            return np.asarray(first.numpy(), dtype=np.float64)
        return np.array(first.data, dtype=np.float64) if hasattr(first, "data") else None

    def test_it_says_what_it_is(self, backend: Backend) -> None:
        """Name, version, sorted options, clock, unit and reference have words."""
        assert not missing_members(backend, Backend)
        runtime = backend.runtime
        assert runtime.name
        assert runtime.version
        assert list(runtime.options) == sorted(runtime.options)
        assert backend.clock.name
        assert backend.compute_unit
        assert backend.reference_name
        assert isinstance(backend.copies_weights, bool)
        assert isinstance(backend.enters_runtime, bool)
        assert torch.device(backend.torch_device).type

    def test_it_computes_what_torch_computes(self, backend: Backend, calls: dict[str, ModuleCall]) -> None:
        """Every kind of block and a whole model, called twice."""
        for kind, call in calls.items():
            with backend.session():
                run = backend.prepare(call)
                outputs = [self.values(run()) for _ in range(2)]
                with torch.no_grad():
                    expected = self.values(call.module(*call.args, **call.kwargs))
            for output in outputs:
                if output is not None and expected is not None:
                    np.testing.assert_allclose(output, expected, rtol=self.rtol, atol=self.atol, err_msg=kind)

    def test_time_passes(self, backend: Backend, calls: dict[str, ModuleCall]) -> None:
        """The clock sees the work of calls and of the reference kernel."""
        with backend.session():
            run, reference = backend.prepare(calls[BlockKind.RESNET]), backend.reference()
            for work in (run, reference):
                work()
                assert 0 < backend.clock.elapsed_ms(work) < 60_000

    def test_a_session_leaves_torch_as_it_was(self, backend: Backend) -> None:
        """Also when what is measured fails."""
        before = torch.get_num_threads(), torch.is_grad_enabled()
        with pytest.raises(_MeasuringError), _failing(backend):
            assert not torch.is_grad_enabled()
        assert (torch.get_num_threads(), torch.is_grad_enabled()) == before

    def test_what_is_discarded_can_be_prepared_again(self, backend: Backend, calls: dict[str, ModuleCall]) -> None:
        """Discarding twice, or what was never prepared, is nothing."""
        call = calls[BlockKind.RESNET]
        with backend.session():
            for _ in range(2):
                backend.discard(call)
                backend.prepare(call)()
                backend.discard(call)


class _MeasuringError(Exception):
    """What goes wrong while something is measured."""


@contextmanager
def _failing(backend: Backend) -> Iterator[None]:
    """A session whose block fails at its end."""
    with backend.session():
        yield
        raise _MeasuringError
