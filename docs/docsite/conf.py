# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of sphinx for `make docs` (tools/docs): the pages of docs/, and a page for each module, plugin and role.

Nothing is fetched while it builds: links to what other projects document are left as text.
"""

project = "Baton"
copyright = "The Baton authors"
html_title = "Baton"
extensions = ["sphinx_antsibull_ext", "myst_parser"]
html_theme = "sphinx_rtd_theme"
html_show_sphinx = False
html_copy_source = False
html_use_index = False
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True
# What is not of this collection has its documentation elsewhere.
nitpick_ignore_regex = [("std:ref", r"(?!ansible_collections\.baton\.ha\.).*"), ("std:envvar", r"ANSIBLE_.*")]
myst_heading_anchors = 3  # as links of the pages name them
