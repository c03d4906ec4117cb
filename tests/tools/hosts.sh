#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/tools/hosts.sh: several hosts on one machine.
#
# usage: hosts.sh [-r RATE] NUMBER COMMAND [ARGUMENT...]
#
# Runs the command on the host node1 of NUMBER hosts. Each is a network
# namespace with an address of its own (10.77.0.1, 10.77.0.2, ...), joined to
# the others by a switch; with RATE (1gbit, as tc writes it) no link carries
# more. They share all files but /run, and know each other as node1, node2, ...
#
#   on.sh NODE COMMAND...                 as ssh does, from any host
#   ip -n switch link set NODE down       cuts its link; up mends it
#
# mpirun of Open MPI and of MPICH puts its ranks on all of them in turn; they
# talk by TCP. Namespaces have no names outside of this process: two runs never
# meet, and when it ends, in whatever way, nothing of them is left. Returns the
# command's exit code, or 77 where namespaces may not be made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

own() {
    user='--user --map-root-user'
    [ "$(id -u)" -ne 0 ] || user=
    # shellcheck disable=SC2086
    exec setpriv --pdeathsig KILL unshare $user --net --mount --pid --fork \
        --kill-child --mount-proc "$@"
}

# ---- outside ----

skip() {
    echo "skipped: $*" >&2
    exit 77
}

if [ "${1:-}" != --inside ]; then
    for tool in setpriv unshare ip tc hostname; do
        command -v $tool >/dev/null || skip "no $tool here"
    done
    (own mount -t tmpfs hosts /run) 2>/dev/null ||
        skip "namespaces may not be made here"
    own sh "$here/hosts.sh" --inside "$@" <&0 &
    inside=$!
    trap 'kill -KILL $inside; exit 143' HUP INT TERM
    wait $inside
    exit
fi

# ---- inside ----

shift
rate=
if [ "$1" = -r ]; then
    rate=$2
    shift 2
fi
number=$1
shift
mount -t tmpfs hosts /run
mkdir /run/netns
echo 127.0.0.1 localhost >/run/hosts

# limit HOST LINK: no more than the rate goes out there.
limit() {
    [ -z "$rate" ] || tc -n "$1" qdisc add dev "$2" root \
        tbf rate "$rate" burst 128kb latency 50ms
}

ip netns add switch
ip -n switch link add bridge type bridge
ip -n switch link set bridge up
for i in $(seq "$number"); do
    node=node$i
    ip netns add "$node"
    ip link add eth0 netns "$node" type veth peer name "$node" netns switch
    ip -n switch link set "$node" master bridge up
    ip -n "$node" addr add "10.77.0.$i/24" dev eth0
    ip -n "$node" link set eth0 up
    ip -n "$node" link set lo up
    limit "$node" eth0
    limit switch "$node"
    echo "10.77.0.$i $node" >>/run/hosts
    echo "$node" >>/run/nodes
done
mount --bind /run/hosts /etc/hosts

# Open MPI, then MPICH: which hosts, how to reach them, over what.
export OMPI_MCA_orte_default_hostfile=/run/nodes
export OMPI_MCA_plm_rsh_agent="$here/on.sh" OMPI_MCA_pml=ob1
export OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=eth0
export OMPI_MCA_oob_tcp_if_include=eth0 OMPI_MCA_orte_tmpdir_base=/run
export OMPI_MCA_rmaps_base_mapping_policy=node:OVERSUBSCRIBE
export OMPI_MCA_mpi_yield_when_idle=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export HYDRA_HOST_FILE=/run/nodes HYDRA_IFACE=eth0
export HYDRA_LAUNCHER=ssh HYDRA_LAUNCHER_EXEC="$here/on.sh"
ip netns exec node1 unshare --uts sh -c 'hostname node1; exec "$@"' sh "$@"
