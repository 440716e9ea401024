"""`relspec completion`: what a shell needs to complete verbs, options and releases."""

from __future__ import annotations

import click

EXAMPLES = """\b
Examples:
  eval "$(relspec completion bash)"            in ~/.bashrc
  eval "$(relspec completion zsh)"             in ~/.zshrc
  relspec completion fish | source             in ~/.config/fish/config.fish
"""


@click.command("completion", epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script of a shell: it completes verbs, options and release ids."""
    from click.shell_completion import get_completion_class

    from relspec.cli import relspec

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    # Only the script: `source()` would start a bash to learn its version, which may not be there.
    script = complete(relspec, {}, "relspec", "_RELSPEC_COMPLETE")
    click.echo(script.source_template % script.source_vars())
    return 0
