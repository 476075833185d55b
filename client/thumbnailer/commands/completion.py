"""`thumbnailer completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog="""\b
To install it:
  bash  echo 'eval "$(thumbnailer completion bash)"' >> ~/.bashrc
  zsh   echo 'eval "$(thumbnailer completion zsh)"' >> ~/.zshrc
  fish  thumbnailer completion fish > ~/.config/fish/completions/thumbnailer.fish"""
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script for your shell's completion."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - for the type checker: click knows these shells
    click.echo(kind(ctx.find_root().command, {}, "thumbnailer", "_THUMBNAILER_COMPLETE").source())
