"""What the server reaches on one core, against what others would pick instead.

    make bench                                            everything, with every peer (minutes)
    make bench-quick                                      the figures to watch daily (under a minute)
    python -m benchmarks fanout --subscribers 1000        one scenario
    python -m benchmarks record                           write the last results into docs/

Nothing but Python, a C compiler and, for some peers, Node.js and Redis need be there: the first run installs the rest
into `benchmarks/.build` and `benchmarks/peers/node_modules`.

A measurement is a `Contender` (a server, and what the load generator says to it) run once: server on one core,
generator on another (`machine`). `rounds` alternates contenders, A B C ... A B C, drops runs that others disturbed, and
takes medians; `scenarios` are lists of contenders and what to count; `results` is the table, in JSON and Markdown;
`promises` compares it with what docs/performance.md promises, and `chart` draws it. `load.c` is the generator, `peers/`
are the others, `driven` is the product whose boards change as fast as they can be sent.
"""
