"""`hybridrec completion`: print a script for tab completion in bash, zsh or fish."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which a SHELL completes commands, options, files and names of components.

    For bash: hybridrec completion bash > ~/.local/share/bash-completion/completions/hybridrec
    """
    from click.shell_completion import get_completion_class

    completion_class = get_completion_class(shell)
    assert completion_class is not None
    print(completion_class(context.find_root().command, {}, "hybridrec", "_HYBRIDREC_COMPLETE").source())
