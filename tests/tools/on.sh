#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/tools/on.sh: run a command on a host of hosts.sh, as ssh does.
#
# usage: on.sh [-x] NODE COMMAND...
#
# The words are joined and given to a shell there.
[ "$1" != -x ] || shift
node=$1
shift
exec ip netns exec "$node" unshare --uts sh -c "hostname $node; $*"
