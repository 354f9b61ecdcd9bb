"""Workers on the memory engine, which `serve` refuses: for tests of how they are started, watched and replaced.

Run as ``python -m tests.crew COUNT``; the settings come from the environment, as those of `leaderboard serve`.
"""

from __future__ import annotations

import sys

from leaderboard import logs, serving
from leaderboard.sources import load
from leaderboard.workers import NotStarted, Plan, Workers

if __name__ == "__main__":
    flags = {"workers": int(sys.argv[1])}
    settings = load(flags=flags).settings
    logs.configure(settings)
    bound = serving.listen("127.0.0.1", settings.port)
    own = [serving.listen("127.0.0.1", 0) for _ in range(settings.workers)]
    ports = [each.getsockname()[1] for each in own]
    flags["worker_port"] = min(ports)

    def plan() -> Plan:
        loaded = load(flags=flags)
        return Plan(loaded.values, loaded.sources, ".")

    def ready() -> None:
        url = serving.urls(settings, bound)[0]
        print(f"workers at {ports}; is ready at {url}", flush=True)

    try:
        Workers(plan, bound, own, settings.workers).run(ready)
    except NotStarted as error:
        sys.exit(str(error))
