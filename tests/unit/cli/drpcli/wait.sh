#!/usr/bin/env bash
# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
# wait.sh: wait for fields of the machine and of the shared profile, which change meanwhile, and for one that does not in time.
source "$(dirname "$0")/machine.sh"

drpcli machines wait "$RS_UUID" Stage deployed 60 &
drpcli profiles wait "$CLUSTER_PROFILE" Description ready &
drpcli machines update "$RS_UUID" '{"Stage": "installing"}' >/dev/null
drpcli machines update "$RS_UUID" '{"Stage": "deployed", "Runnable": true}' >/dev/null
drpcli profiles update "$CLUSTER_PROFILE" '{"Description": "ready"}' >/dev/null
wait %1 && wait %2
drpcli machines wait "$RS_UUID" Runnable true 5
drpcli machines wait "$RS_UUID" Workflow ""
drpcli machines wait "$RS_UUID" Stage gone 0.2 || echo "status $?"
drpcli profiles wait "$CLUSTER_PROFILE" param my/leader exists
