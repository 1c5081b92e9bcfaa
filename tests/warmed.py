"""What the warm process imports before others are forked from it: see `tests.warm`."""

from importlib import import_module

for _name in (
    "diffusers.schedulers.scheduling_unipc_multistep",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "pyarrow.pandas_compat",
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
