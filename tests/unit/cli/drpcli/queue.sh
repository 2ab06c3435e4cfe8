#!/usr/bin/env bash
# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
# queue.sh STAGE…: escape, add, step, work, remove, sync, as given, over the list cluster/machines in the shared profile. At most
# $CLUSTER_STEP machines are between step and remove; each writes to $EVIDENCE when it is in and before it goes out.
source "$(dirname "$0")/machine.sh"

place() { # place LIST: how many stand before us in it, or null
  jq --arg me "$RS_UUID" 'index($me)' <<<"$1"
}

escape() { # an operator's way out before all waiting: 0 ends well, 1 fails
  local status
  status=$(shared cluster/escape)
  [[ $status == null ]] || { echo escaped && exit "$status"; }
}

machines= # the list as we saw it last: others only leave it or come behind us, so our place in it is never too good

add() {
  local more
  while machines=$(shared cluster/machines) && [[ $(place "$machines") == null ]]; do
    more=$(jq --arg me "$RS_UUID" '. + [$me]' <<<"$machines")
    swap_shared cluster/machines "$machines" "$more" 2>/dev/null && machines=$more && break
  done
  hold queued
}

step() {
  local before ahead
  [[ -n $machines ]] || machines=$(shared cluster/machines)
  while true; do
    before=$(place "$machines")
    [[ $before != null ]] || { echo "not queued" && exit 1; } # among numbers null would be 0: the first in line
    ((before >= CLUSTER_STEP)) || break
    ahead=$(jq -r ".[$((before - CLUSTER_STEP))]" <<<"$machines")
    drpcli machines wait "$ahead" Stage through >/dev/null # so that one who leaves wakes one, not all
    machines=$(shared cluster/machines)
  done
}

work() {
  echo "in $RS_UUID" >>"$EVIDENCE"
}

remove() {
  local out=
  while machines=$(shared cluster/machines) && [[ $(place "$machines") != null ]]; do
    [[ -n $out ]] || echo "out $RS_UUID" >>"$EVIDENCE" # as late as can be, so that the test sees who is in at once
    out=written
    swap_shared cluster/machines "$machines" "$(jq --arg me "$RS_UUID" '. - [$me]' <<<"$machines")" 2>/dev/null && break
  done
  drpcli machines update "$RS_UUID" '{"Stage": "through"}' >/dev/null
}

sync() {
  drpcli -T "$TOKEN" profiles wait "$CLUSTER_PROFILE" param cluster/machines equals '[]' --wait-timeout 900 >/dev/null
  echo "synced $RS_UUID" >>"$EVIDENCE"
}

for stage; do "$stage"; done
