"""The one command. Composes those of the rooms below and turns errors into one line."""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from typing import Any

import click

from footnote.errors import FootnoteError

_COMMANDS = {
    "demo": ("cli.demo", "demo", "The whole story in one go, on this machine."),
    "ingest": ("indexer.commands", "ingest", "Add documents to a Datanet and publish it."),
    "remove": ("indexer.commands", "remove", "Take documents out of a Datanet."),
    "rebuild": ("indexer.commands", "rebuild", "Index a Datanet again from its stored text."),
    "review": ("indexer.review", "review", "See near-duplicates, and rule on who was first."),
    "tune": ("indexer.tune", "tune", "Fit retrieval and refusal to labelled questions."),
    "datanets": ("indexer.commands", "datanets", "List the published Datanets."),
    "show": ("indexer.commands", "show", "Show a Datanet or a document."),
    "adapters": ("cli.adapters", "adapters", "Keep the LoRA adapters of Datanets."),
    "ask": ("cli.ask", "ask", "Ask a Datanet a question."),
    "serve": ("api.commands", "serve", "Serve questions and answers over HTTP."),
    "mcp": ("api.commands", "mcp", "Offer the tools to an agent, over stdio."),
    "keys": ("api.key_commands", "keys", "Make, list and revoke API keys."),
    "openlora": ("openlora.commands", "openlora", "Serve a base model and its adapters."),
    "key": ("rewards.commands.setup", "key", "Make encrypted keystore files."),
    "deploy": ("rewards.commands.setup", "deploy", "Deploy registry and reward pool."),
    "register": ("rewards.commands.setup", "register", "Register a Datanet on chain."),
    "publish": ("cli.publish", "publish", "Put a snapshot's content root on chain."),
    "fund": ("rewards.commands.setup", "fund", "Put tokens into a Datanet's pool."),
    "policy": ("rewards.commands.setup", "policy", "Show or set a Datanet's reward policy."),
    "worker": ("rewards.commands.settle", "worker", "Settle what receipts owe."),
    "status": ("rewards.commands.observe", "status_command", "Show what is owed and settled."),
    "doctor": ("rewards.commands.observe", "doctor", "Check the deployment; say what to mend."),
    "journal": ("rewards.commands.journal", "journal", "Care for the record of what is owed."),
    "migrate": ("rewards.commands.journal", "migrate", "Bring the journal up to date."),
    "erase": ("rewards.commands.journal", "erase", "Delete an answer's text; its receipt stays."),
    "backup": ("cli.backup", "backup", "Copy what cannot be made again."),
    "restore": ("cli.backup", "restore", "Bring a backup back."),
    "audit": ("rewards.commands.proof", "audit_command", "Compare journal and chain."),
    "statement": ("rewards.commands.proof", "statement_command", "List what an address earned."),
    "verify-text": ("cli.verify_text", "verify_text", "Check a text against sources."),
    "verify": ("cli.ask", "verify", "Check a saved receipt or batch."),
}
"""Name → module, attribute, one line of help. Modules load only when their command runs, so that
the worker never loads torch and ``--help`` is instant."""


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show where an error came from.")
@click.version_option(package_name="footnote")
def footnote(debug: bool) -> None:
    """Answers with citations that hold to the character, and pays the people behind them.

    Data lives under FOOTNOTE_HOME. Start with `footnote ingest --help`, or watch `footnote demo`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error is one line that says what to do."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        result: Any = footnote.main(args=arguments, prog_name="footnote", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        command = (
            error.ctx.command_path
            if isinstance(error, click.UsageError) and error.ctx
            else "footnote"
        )
        _fail(error.format_message().rstrip("."), f"see {command} --help", 64)
    except FootnoteError as error:
        if debug:
            traceback.print_exc()
        _fail(error.what, error.what_to_do, error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        if debug:
            traceback.print_exc()
        _fail(f"{error.filename or 'a file'}: {error.strerror}", "check the path and the disk", 74)
    except Exception as error:
        if debug:
            traceback.print_exc()
        _fail(f"a bug ({type(error).__name__})", "run again with --debug and report it", 70)


def _fail(what: str, what_to_do: str, code: int) -> None:
    print(f"footnote: error: {what}: {what_to_do}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
