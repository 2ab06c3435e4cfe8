# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""batonctl files: contents that every node of the cluster has."""
from __future__ import annotations

import os
from typing import Any

from ..client.error import ClientError
from .common import Context, add_group, add_verb
from .output import size


def add(groups: Any) -> None:
    verbs = add_group(groups, "files", "store files on all nodes")
    listing = add_verb(verbs, "list", list_files, "list the files")
    listing.add_argument("prefix", nargs="?", default="", metavar="PREFIX", help="only paths that begin with this")
    upload = add_verb(verbs, "upload", upload_file, "store a local file on all nodes")
    upload.add_argument("source", metavar="FILE")
    upload.add_argument("as_word", nargs="?", choices=("as",), metavar="as")
    upload.add_argument("path", nargs="?", metavar="PATH", help="its name there (the file's own)")
    download = add_verb(verbs, "download", download_file, "fetch a file; what an interrupted download left is continued")
    download.add_argument("path", metavar="PATH")
    download.add_argument("to_word", nargs="?", choices=("to",), metavar="to")
    download.add_argument("target", nargs="?", metavar="FILE", help="where to (its own name, here)")
    destroy = add_verb(verbs, "destroy", destroy_file, "delete a file")
    destroy.add_argument("path", metavar="PATH")


def list_files(context: Context) -> None:
    found = context.client.files.list(context.args.prefix)
    if context.out.as_json:
        context.out.json(found)
        return
    rows = [[file["Path"], size(file["Size"]), file["Sha256"][:12]] for file in found]
    context.out.table(["PATH", "SIZE", "SHA-256"], rows, "There are no files.")


def upload_file(context: Context) -> None:
    source = context.args.source
    if not os.path.isfile(source):
        raise ClientError("usage", f"{source} is not a file")
    stored = context.client.files.upload(source, context.args.path or os.path.basename(source))
    did = "Stored" if stored["Changed"] else "Already stored:"
    context.out.done(stored, f"{did} {stored['Path']} ({size(stored['Size'])}, SHA-256 {stored['Sha256'][:12]}).")


def download_file(context: Context) -> None:
    target = context.args.target or os.path.basename(context.args.path)
    if os.path.isdir(target):
        target = os.path.join(target, os.path.basename(context.args.path))
    fetched = context.client.files.download(context.args.path, target)
    context.out.done({**fetched, "File": target}, f"Fetched {fetched['Path']} to {target} ({size(fetched['Size'])}).")


def destroy_file(context: Context) -> None:
    context.client.files.delete(context.args.path)
    context.out.done({"Path": context.args.path}, f"Deleted {context.args.path}.")
