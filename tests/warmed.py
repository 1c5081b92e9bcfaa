"""What the warm process imports before others are forked from it: see `tests.warm`."""

import diffusers.schedulers.scheduling_unipc_multistep
import matplotlib.backends.backend_agg
import matplotlib.backends.backend_svg
import pyarrow.pandas_compat
import transformers.conversion_mapping

import latency.backends.torch_eager
import nas.cli.export
import nas.cli.latency.measure
import nas.cli.search
import nas.cli.status
import nas.export.write
import tests.nas.searching  # noqa: F401
