"""What a server says in the terminal that it was started in."""

from __future__ import annotations

from leaderboard import __version__
from leaderboard.emulation import Emulation
from leaderboard.settings import DEV, LOCAL, PUBLIC_KEY, Settings
from leaderboard.shell import out


def of_start(settings: Settings, urls: list[str], made_key: str | None) -> None:
    """Where a server is, best first in ``urls`` and this machine's own last, and what to do with it next."""
    base, own = urls[0], urls[-1]
    out.print(f"\n[bold]leaderboard {__version__}[/bold] is ready at [bold]{base}[/bold]")
    for url in urls[1:]:
        out.print(f"  also at    {url}")
    out.print(f"  socket     {base.replace('http', 'ws', 1)}/event/realtime")
    out.print(f"  publish    {base}/event")
    out.print(f"  boards     {base}/l")
    if made_key:
        out.print(f"  API key    [bold]{made_key}[/bold]  (admin, made for this run)")
    if settings.tls_cert == DEV:
        of_authority(own)
    if settings.emulate:
        out.print("  as AWS     extensions are passed over, and told below when a client tries one")
        out.print(
            f"\nFor Amplify, in another terminal:\n  LEADERBOARD_KEY={made_key or '…'} leaderboard amplify-outputs"
            f" --url {own} > amplify_outputs.json\nCtrl-C stops the server.\n",
            markup=False,
        )
        return
    if settings.host in ("127.0.0.1", "localhost", "::1"):
        out.print("  Only this machine can connect; --host 0.0.0.0 lets phones in.")
    boards = (name for name, rules in settings.namespaces.items() if rules.kind == "board")
    if first := next(boards, None):
        to = "" if own == LOCAL else f" --url {own}"
        viewer = settings.viewer_key
        seer = "" if viewer == PUBLIC_KEY else f"LEADERBOARD_KEY={viewer or '…'} "
        out.print("\nNext, in other terminals:")
        out.print(
            f"  LEADERBOARD_KEY={made_key or '…'} leaderboard simulate /{first}/demo{to}",
            markup=False,
        )
        out.print(f"  {seer}leaderboard watch /{first}/demo{to}", markup=False)
        out.print(f"and look at {base}/l/{first}/demo. Ctrl-C stops the server.\n")


def of_authority(own: str) -> None:
    """How clients come to trust the certificate of a server at that address."""
    out.print("  TLS        by a certificate made for this run; for clients to trust it:")
    out.print(f"             curl -sk {own}/-/ca.pem -o ca.pem", markup=False)
    out.print("             export SSL_CERT_FILE=ca.pem NODE_EXTRA_CA_CERTS=ca.pem")


def of_emulation(emulation: Emulation) -> None:
    """What an emulation of AWS has learned by its end."""
    out.print(
        "AppSync Events would have done the same, as far as this server knows."
        if not emulation.told
        else "What is not so at AWS, or is only known here:"
    )
    for sentence in emulation.told:
        out.print(f"  - {sentence}", markup=False)
