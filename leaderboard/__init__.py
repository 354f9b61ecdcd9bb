"""Real-time leaderboards over one WebSocket: the journey of one score.

A game client sends a ``publish`` frame with an event such as ``{"player": "ann", "score": 120}``.

1. `realtime` has accepted the connection, whose request `doorway` has timed, and plugged its `session` into the socket
   by `direct`, our door into uvicorn, which has `patience` with slow peers; a text frame is handed over by one call.
   Other servers come by `asgi`. A `wheel` visits every connection once a minute, to keep it alive.
2. `messages` turns the text into a typed value, or into one of the `errors`, which the client gets back (`replies`).
3. It has to become one of the `targets`: `channels` tells what the path means, `auth` whose the `credentials` are, and
   `access` whether that one of the `grants` may publish there. `tokens` are ours; for those that are not others are
   `vouching`: an `oidc` provider, or an `authorizer`. The session asks `limits` whether it may do so now, and the
   `budgets` of who it is, which several processes share by `allowances`. In `operations` the namespace's own function
   is asked, if it has one (`handlers`; both are `functions`), and each event becomes a score of the board's vocabulary
   (`events`), with a name that is fit to be shown (`names`).
4. `broker` passes the batch to the engine (`engines`), which applies it to the `board` of the channel. Its `ranking` is
   a dictionary of entries and a sorted list of ``(key, seq, player)``, the first of its `sheets`; a round (`rounds`)
   says whether scores count now, a `curtain` what is shown while the board is frozen, `people` who is hidden, `retries`
   what was applied before, `presence` how many play. The answer goes back the same way: ``publish_success``.
5. The engine says that the channel has changed. The `fanout` marks the views of its `audience`, which the `hub` has, as
   due on one of the next `beats`, has it looked at then (`agenda`), and returns.
6. Then it reads the board once for all views that are due, encodes each once (`snapshots`), and in `lanes` that leave
   the loop to others `frames` splices each subscriber's id in front: ``data`` frames, one per subscriber and interval
   however many scores came in. What is not ranked goes out as it came: `relays`.

`api` is the same over HTTP, with `answers` in AppSync's shape (`boards` and their `exports`; `sharing` makes links,
which are a host's `handouts`), `pages` what people look at (by `rendering`, of `templating` and `assets`; what they
load are `files`), `client` what programs use (over its `link`, for its `subscriptions`), `standing` and `movement` what
a row tells of itself. The browser game has `rooms`, which are boards, a `lobby` to get in, its rules in `lights`, its
`referee` and its `bots`, `suggestions` of `nicknames`, the pages of `play`, and `seats` that a QR code leads to; a
`host` leads one from the `stage`. While names are hidden, players wear `masks`. Boards in pages of others are `embeds`,
`oembed` and the `picture`; the `configurator` makes the `snippets` for them, `packing` one script of many. `workshop`
has the pages to learn with, one of them by a `guide`; the documentation among them is the `manual`.

The tables of `settings` are `quotas`, `namespaces` and `trust`, of `values`; they come from four `sources`. `app` wires
it all and `serving` runs it; `addresses` says where, `certificates` under which name, `workers` by how many processes;
`asyncapi` describes the socket for tools. Operators look `backstage`, where `refusals` and `metrics` are shown, and
into the `logs`. As an `emulation` of AWS it has `strict` sessions, reads `cloudformation` templates, and runs a command
`beside` it.

`cli` is the command, and `shell` what its parts have in common: `launch` starts the server, with an `announcement`, or
a `demo` for a whole room; `commands` talk to one, a host's are `control` and `keyring`; `offline` needs none.
`terminal` draws, `simulate` is a `crowd` with a stopwatch (`latency`, `figures`).

A module imports only from those before it:
``values`` < ``trust quotas namespaces`` <
``errors settings names retries frames movement lights lanes beats crowd assets wheel files`` <
``addresses channels limits logs sources events rounds ranking tokens credentials nicknames standing`` <
``certificates emulation cloudformation beside presence curtain suggestions functions grants oidc`` <
``people sheets authorizer`` < ``board access`` < ``vouching`` <
``messages replies auth engines patience metrics refusals guide manual packing snippets templating`` < ``snapshots`` <
``audience`` < ``hub agenda link asyncapi masks allowances`` < ``fanout relays subscriptions doorway budgets`` <
``broker`` < ``handlers`` < ``targets`` < ``operations client referee latency`` < ``session direct simulate`` <
``asgi`` < ``realtime strict terminal figures`` < ``answers shell rendering`` < ``exports`` < ``boards rooms`` <
``sharing lobby seats`` < ``api pages bots`` < ``embeds`` < ``oembed picture configurator workshop play backstage`` <
``host`` < ``stage handouts`` < ``app`` < ``serving commands offline`` < ``workers control keyring demo announcement`` <
``launch`` < ``cli``.
"""

__version__ = "0.1.0"
