"""`nuovo keys`: make keys for access tokens, and show what others verify with."""

import sys
from collections.abc import Callable

import click
import orjson

from entrypoints.cli.output import operations

_ALGORITHMS = ("ES256", "RS256", "EdDSA")


def keys_group(*, generate: Callable[[str], str], public_half: Callable[[str], str]) -> click.Group:
    """Return the group. `public_half` raises `ValueError` in words for what is no private key."""

    @click.group()
    def keys() -> None:
        """Make keys that sign access tokens, and show what others verify them with."""

    @keys.command("generate")
    @click.option("--algorithm", type=click.Choice(_ALGORITHMS), default="ES256", show_default=True)
    def generate_(algorithm: str) -> None:
        """Print a new private key in PEM, for NUOVO_ACCESS_TOKEN_KEY_FILE. Only the service may read that file."""
        click.echo(generate(algorithm), nl=False)

    @keys.command()
    def public() -> None:
        """Read a private key in PEM, and print its public half for NUOVO_ACCESS_TOKEN_VERIFICATION_KEYS."""
        try:
            click.echo(public_half(sys.stdin.read()), nl=False)
        except ValueError as error:
            raise click.ClickException(f"What was read {error}.") from None

    @keys.command()
    def jwks() -> None:
        """Print the public keys as /.well-known/jwks.json has them."""
        click.echo(orjson.dumps(operations().public_keys, option=orjson.OPT_INDENT_2))

    return keys
