# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced by the other scripts: what each machine has. RS_ENDPOINT, RS_TOKEN (an admin's), RS_UUID, CLUSTER_PROFILE and TOKEN (the
# profile's) come from the environment, as Digital Rebar's agent gives them.
set -euo pipefail

get_param() { # get_param NAME: as the machine sees it: its own, its profiles', or the default
  drpcli machines get "$RS_UUID" param "$1" --aggregate | jq -r .
}

shared() { # shared NAME: a param of the shared profile, as JSON
  drpcli -T "$TOKEN" profiles get "$CLUSTER_PROFILE" param "$1"
}

swap_shared() { # swap_shared NAME OLD NEW: compare-and-patch
  drpcli -r "$2" -T "$TOKEN" profiles set "$CLUSTER_PROFILE" param "$1" to "$3" >/dev/null
}

hold() { # hold TEXT: tell the test where this machine is, and stay there until it says go on
  echo "$1"
  read -r _ <"$GATE"
}
