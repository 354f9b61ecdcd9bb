"""``python -m benchmarks``: see `benchmarks` for what there is."""

from benchmarks import environment

environment.enter()

from benchmarks import commands  # noqa: E402, its imports live in the environment just entered

commands.main()
