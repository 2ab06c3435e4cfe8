#!/usr/bin/env bash
# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
# progress.sh: show on the machine how far it is, by its metadata. Prints what each command answered.
source "$(dirname "$0")/machine.sh"

drpcli machines update "$RS_UUID" '{"Meta": {"icon": "anchor", "color": "green"}}' | jq -c .Meta
drpcli machines update "$RS_UUID" - <<<'{"Meta": {"color": "yellow"}}' | jq -c .Meta
drpcli machines meta set "$RS_UUID" key icon to ship
icon=$(drpcli machines meta get "$RS_UUID" icon) && echo "$icon"
drpcli -r anchor machines meta set "$RS_UUID" key icon to "chess queen" || echo "status $?"
drpcli -r "$icon" machines meta set "$RS_UUID" key icon to "chess queen"
drpcli machines meta add "$RS_UUID" key seen val yes
drpcli machines meta add "$RS_UUID" key seen val no || echo "status $?"
drpcli machines meta remove "$RS_UUID" key seen
drpcli machines meta remove "$RS_UUID" key seen || echo "status $?"
drpcli machines meta get "$RS_UUID" | jq -c .
