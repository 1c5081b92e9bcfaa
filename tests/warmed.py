"""What the warm process imports before others are forked from it: see `tests.warm`."""

import gc
from importlib import import_module

gc.disable()  # it takes a fifth of the time of imports, and finds nothing
for _name in (
    "diffusers.schedulers.scheduling_unipc_multistep",
    "hypothesis",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "pyarrow.pandas_compat",
    "pytest",
    "transformers.conversion_mapping",
    "latency.backends.torch_eager",
    "latency.importers",
    "nas.cli.export",
    "nas.cli.latency.measure",
    "nas.cli.search",
    "nas.cli.status",
    "nas.export.write",
    "tests.nas.searching",
):
    import_module(_name)
gc.freeze()  # no fork looks through a million objects, nor copies their pages for that
gc.enable()
