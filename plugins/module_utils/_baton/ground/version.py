# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of batond, batonctl and the collection (galaxy.yml says the same; a test compares them)."""

VERSION = "1.0.0"
