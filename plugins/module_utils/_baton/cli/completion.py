# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl completion bash|zsh|fish: a script generated from the argparse tree, so that it never lags behind.

Each shell gets the same three tables: what is a command, which options take a value, and what may stand where. A place
is written "command verb/N": after that command and verb and N arguments.
"""
from __future__ import annotations

import argparse
from typing import Any, Dict, Iterable, List, Set, Tuple

from .common import Context, add_verb

_FILES = ("FILE",)
_FISH = '            case {}\n                string split " " -- "{}"'


class Tree:
    """The tables of one parser: ``places`` (place → words), ``files`` (places of local files), ``values`` (option → words),
    ``options`` (path → its own options), ``common`` (options of every path)."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.paths: List[str] = []
        self.places: Dict[str, List[str]] = {}
        self.options: Dict[str, List[str]] = {}
        self.files: List[str] = []
        self.values: Dict[str, List[str]] = {}
        self.file_options: Set[str] = set()
        self._walk("", parser)
        self.common = [word for word in self.options[""] if all(word in words for words in self.options.values())]
        self.options = {path: [w for w in words if w not in self.common] for path, words in self.options.items()}

    def _walk(self, path: str, parser: argparse.ArgumentParser) -> None:
        position = 0
        words: List[str] = []
        for action in parser._actions:  # there is no public way to read a parser
            if isinstance(action, argparse._SubParsersAction):
                self.places[f"{path}/{position}"] = list(action.choices)
                for name, child in action.choices.items():
                    self.paths.append(f"{path} {name}".strip())
                    self._walk(f"{path} {name}".strip(), child)
            elif action.option_strings:
                words += action.option_strings
                if action.nargs != 0:
                    self._option(action)
            else:
                if action.choices:
                    self.places[f"{path}/{position}"] = [str(choice) for choice in action.choices]
                elif action.metavar in _FILES:
                    self.files.append(f"{path}/{position}")
                position += 1
        self.options[path] = words

    def _option(self, action: argparse.Action) -> None:
        for name in action.option_strings:
            self.values[name] = [str(choice) for choice in action.choices or ()]
            if action.metavar in _FILES:
                self.file_options.add(name)


def _cases(table: Iterable[Tuple[str, List[str]]], line: str) -> str:
    return "\n".join(line.format(place, " ".join(words)) for place, words in table)


def bash(tree: Tree, prog: str) -> str:
    """Return the script for bash. It splits the line by itself: bash would split URLs at their colons."""
    name = f"_{prog}_complete"
    return f"""# bash completion for {prog}; load it with: source <({prog} completion bash)
{name}_files() {{
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}}
{name}() {{
    local line="${{COMP_LINE:0:COMP_POINT}}" path= key= option= word cur= n=0 words=
    local -a all
    read -ra all <<< "$line"
    if [[ $line != *[[:space:]] ]]; then cur="${{all[-1]}}"; unset 'all[-1]'; fi
    for word in "${{all[@]:1}}"; do
        if [[ -n $option ]]; then option=; continue; fi
        case "$word" in
            {"|".join(sorted(tree.values))}) option="$word"; continue ;;
            -?*) continue ;;
        esac
        key="${{path:+$path }}$word"
        case "$key" in
            {"|".join(_quoted(tree.paths))}) path="$key"; n=0 ;;
            *) n=$((n + 1)) ;;
        esac
    done
    COMPREPLY=()
    if [[ -n $option ]]; then
        case "$option" in
            {"|".join(sorted(tree.file_options))}) {name}_files "$cur"; return ;;
{_cases([(o, w) for o, w in sorted(tree.values.items()) if w], '            {}) words="{}" ;;')}
        esac
    elif [[ $cur == -* ]]; then
        words="{" ".join(tree.common)}"
        case "$path" in
{_cases(_own(tree), '            {}) words+=" {}" ;;')}
        esac
    else
        case "$path/$n" in
            {"|".join(_quoted(tree.files))}) {name}_files "$cur"; return ;;
{_cases(_places(tree), '            {}) words="{}" ;;')}
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}}
complete -F {name} {prog}
"""


def zsh(tree: Tree, prog: str) -> str:
    """Return the script for zsh."""
    name = f"_{prog}"
    return f"""#compdef {prog}
# zsh completion for {prog}; load it with: source <({prog} completion zsh)
{name}() {{
    local path_= key= option= word n=0
    local -a found
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        if [[ -n $option ]]; then option=; continue; fi
        case "$word" in
            {"|".join(sorted(tree.values))}) option="$word"; continue ;;
            -?*) continue ;;
        esac
        key="${{path_:+$path_ }}$word"
        case "$key" in
            {"|".join(_quoted(tree.paths))}) path_="$key"; n=0 ;;
            *) n=$((n + 1)) ;;
        esac
    done
    if [[ -n $option ]]; then
        case "$option" in
            {"|".join(sorted(tree.file_options))}) _files; return ;;
{_cases([(o, w) for o, w in sorted(tree.values.items()) if w], '            {}) found=({}) ;;')}
        esac
    elif [[ "${{words[CURRENT]}}" == -* ]]; then
        found=({" ".join(tree.common)})
        case "$path_" in
{_cases(_own(tree), '            {}) found+=({}) ;;')}
        esac
    else
        case "$path_/$n" in
            {"|".join(_quoted(tree.files))}) _files; return ;;
{_cases(_places(tree), '            {}) found=({}) ;;')}
        esac
    fi
    compadd -- $found
}}
if [[ "${{funcstack[1]}}" == {name} ]]; then {name} "$@"; else compdef {name} {prog}; fi
"""


def fish(tree: Tree, prog: str) -> str:
    """Return the script for fish."""
    name = f"__{prog}_complete"
    values = [(o, w) for o, w in sorted(tree.values.items()) if w]
    return f"""# fish completion for {prog}; load it with: {prog} completion fish | source
function {name}
    set -l path
    set -l option
    set -l n 0
    for word in (commandline -opc)[2..-1]
        if test -n "$option"
            set option
            continue
        end
        switch "$word"
            case {" ".join(sorted(tree.values))}
                set option "$word"
                continue
            case '-?*'
                continue
        end
        set -l key (string trim -- "$path $word")
        switch "$key"
            case {" ".join(_quoted(tree.paths))}
                set path "$key"
                set n 0
            case '*'
                set n (math $n + 1)
        end
    end
    if test -n "$option"
        switch "$option"
            case {" ".join(sorted(tree.file_options))}
                __fish_complete_path (commandline -ct)
{_cases(values, _FISH)}
        end
    else if string match -q -- '-*' (commandline -ct)
        string split " " -- "{" ".join(tree.common)}"
        switch "$path"
{_cases(_own(tree), _FISH)}
        end
    else
        switch "$path/$n"
            case {" ".join(_quoted(tree.files))}
                __fish_complete_path (commandline -ct)
{_cases(_places(tree), _FISH)}
        end
    end
end
complete -c {prog} -f -a '({name})'
"""


def _places(tree: Tree) -> List[Tuple[str, List[str]]]:
    return [(_one(place), words) for place, words in tree.places.items()]


def _own(tree: Tree) -> List[Tuple[str, List[str]]]:
    return [(_one(path), words) for path, words in tree.options.items() if words]


def _one(text: str) -> str:
    return f"'{text}'"


def _quoted(texts: Iterable[str]) -> List[str]:
    return [_one(text) for text in texts]


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def add(groups: Any, root: argparse.ArgumentParser) -> None:
    """Add the command; it prints what describes ``root``."""

    def run(context: Context) -> None:
        context.out.script(SHELLS[context.args.shell](Tree(root), root.prog))

    parser = add_verb(groups, "completion", run, "print a completion script for a shell")
    parser.add_argument("shell", choices=sorted(SHELLS))
