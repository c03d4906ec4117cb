# SPDX-License-Identifier: MIT
# tests/hosts/slurm.sh: Slurm on the hosts of hosts.sh, for after kit.sh: no
# passwords, no limits. Skips the test where Slurm is not installed.
for tool in slurmctld slurmd srun sbatch; do
    command -v $tool >/dev/null || skip "no $tool here"
done
export SLURM_CONF=/run/slurm/slurm.conf
mkdir -p /run/slurm/state /run/slurm/own
cat >"$SLURM_CONF" <<'END'
ClusterName=hosts
SlurmctldHost=node1
SlurmUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation=/run/slurm/state
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmctldLogFile=/run/slurm/slurmctld.log
SlurmdPidFile=/run/slurm/%n.pid
SlurmdLogFile=/run/slurm/%n.log
SlurmdSpoolDir=/run/slurm/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=100000
NodeName=node[1-3] CPUs=4
PartitionName=all Nodes=ALL Default=YES State=UP
END
echo CgroupPlugin=cgroup/v1 >/run/slurm/cgroup.conf
# Hosts have a /tmp of their own, usually.
echo PMIxCliTmpDirBase=/run/slurm/own >/run/slurm/mpi.conf
slurmctld
for node in node1 node2 node3; do
    mkdir "/run/slurm/$node"
    "$root/tests/tools/on.sh" "$node" \
        "mount --bind /run/slurm/$node /run/slurm/own; slurmd"
done
