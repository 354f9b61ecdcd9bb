"""Long runs against a real server process: ``python -m tests.soak soak|stuck|storm``; ``make soak`` runs all three.

- ``soak`` (`ledger`): connections come and go, whole client processes are killed with SIGKILL, and a ledger of all that
  was acknowledged is compared with the final board. Memory must not grow; tasks, file descriptors, connections and
  boards must be back where they were.
- ``stuck``: one of a hundred readers never reads, at the full rate. The server's memory must stay flat, and the others
  must not notice: their 99th percentile with it against that without it.
- ``storm``: all clients reconnect after a restart (SIGTERM) by their own back-off; none may be refused.

tests/test_soak.py runs each for seconds. SECURITY.md has the figures of the whole ones.
"""
