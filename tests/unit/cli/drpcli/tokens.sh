#!/usr/bin/env bash
# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
# tokens.sh: make tokens as Digital Rebar's scripts do, and use each once. Prints what could be done with it.
source "$(dirname "$0")/machine.sh"

for ttl in 3y 7200; do
  RS_TOKEN=$(drpcli users token rocketskates ttl "$ttl" | jq -r .Token) drpcli profiles show "$CLUSTER_PROFILE" | jq -r .Name
done
only=$(drpcli profiles token "$CLUSTER_PROFILE" | jq -r .Token)
drpcli -T "$only" profiles set "$CLUSTER_PROFILE" param mine to yes
drpcli -T "$only" profiles set another param mine to yes || echo "status $?"
