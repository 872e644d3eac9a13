"""What is wrong with a command as it was typed, in one plain sentence."""

import re
from difflib import get_close_matches
from typing import Any

import typer

# What the parser says, and what is said instead: the first that fits.
SAID = (
    (r"Input should be less than or equal to (\S+)", r"it must be \1 or less"),
    (r"Input should be greater than or equal to (\S+)", r"it must be \1 or more"),
    (r"Input should be a valid integer.*", "it must be a whole number"),
    (r"Input should be a valid number.*", "it must be a number"),
    (r"(?:Value error, )?'(.*)' is not one of (.*)", r"there is no \1; choose one of \2"),
    (r"(?:file|path) '(.*)' does not exist", r"there is no \1"),
    (r"(?:dir|directory) '(.*)' does not exist", r"there is no folder \1"),
    (r"(?:file|path) '(.*)' is a directory", r"\1 is a folder, and must be a file"),
    (r"dir '(.*)' is a file", r"\1 is a file, and must be a folder"),
    (r"path '(.*)' is not readable", r"\1 cannot be read by this user"),
    (r"(?:Value error, )?(.*)", r"\1"),
)


def usage_sentence(error: typer.TyperException) -> str:
    """The sentence for a usage error: it names the argument, the option or the command."""
    context = getattr(error, "ctx", None)
    param = getattr(error, "param", None)
    said = error.format_message()
    if param is not None and said.startswith("Missing "):
        choices = re.findall(r"\n\t([^,\n]+)", said)
        told = f"; choose one of {', '.join(choices)}" if choices else ""
        return f"{_name(param)} is missing{told}.{_help(context)}"
    if param is not None:
        return f"{_name(param)}: {_plain(error.message)}."
    unknown = re.match(r"No such command '(.*?)'", said)
    if unknown and context is not None:
        near = get_close_matches(unknown[1], getattr(context.command, "commands", {}), 1)
        end = f": did you mean {near[0]}?" if near else f".{_help(context)}"
        return f"There is no command {unknown[1]}{end}"
    if said == "Missing command." and context is not None:
        return f"Name one of {', '.join(context.command.commands)}.{_help(context)}"
    said = re.sub(r"No such option:? ", "There is no option ", said).rstrip(".")
    said = re.sub(r"Got unexpected extra argument\(s\) \((.*)\)", r"It does not take \1", said)
    needs = re.sub(r"Option '(.*)' requires an argument", r"\1 needs a value", said)
    return f"{needs}.{_help(context)}"


def _name(param: Any) -> str:
    """As a person types it: `--settings`, or the word of the help for an argument."""
    options = [str(each) for each in param.opts if each.startswith("-")]
    argument = str(param.metavar or param.name.upper()).strip("[]")
    return max(options, key=len) if options else argument


def _plain(message: str) -> str:
    """The parser's sentence in our words, without its full stop and quotation marks of lists."""
    message = message.rstrip(".")
    for theirs, ours in SAID:
        if found := re.fullmatch(theirs, message, re.DOTALL):
            return found.expand(ours).replace("'", "")
    return message


def _help(context: Any) -> str:
    return f" See {context.command_path} --help." if context is not None else ""
