#!/usr/bin/env bash
# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
# leader.sh bare|quoted: elect one leader by my/leader, whose default is "none". Ends with 0 on the leader and 1 on all others.
# bare: the value goes through jq -r, as in most scripts; quoted: it is compared, and given to -r, as drpcli prints it.
source "$(dirname "$0")/machine.sh"

case $1 in
  bare) none=none && look() { get_param my/leader; } ;;
  quoted) none='"none"' && look() { shared my/leader; } ;;
esac

old=$(look)
while [[ $old == "$none" ]]; do
  hold "read $old"
  drpcli -r "$old" -T "$TOKEN" profiles set "$CLUSTER_PROFILE" param my/leader to "$RS_UUID" >/dev/null && old=$RS_UUID && break
  echo "lost with status $?"
  old=$(look)
done
[[ ${old//\"/} == "$RS_UUID" ]] && echo leader
