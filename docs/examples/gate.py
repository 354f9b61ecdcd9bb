"""A gate: a final that only those watch who play in it, and the staff.

It is asked about every subscribe, and about every read over HTTP. A board behind it is in no public list.
"""

from leaderboard.handlers import Context, Denied, Refused, Role


def on_subscribe(ctx: Context) -> None:
    """Let in by returning nothing."""
    if ctx.identity.role < Role.PLAYER:
        raise Denied
    if ctx.channel.endswith("/*") and ctx.identity.role < Role.HOST:
        raise Refused("One final at a time, please.", "OneAtATime")
