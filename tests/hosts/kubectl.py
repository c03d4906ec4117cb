# SPDX-License-Identifier: MIT
"""tests/hosts/kubectl.py: as much of kubectl as runs a guide's containers.

usage: kubectl.py apply -f FILE

Reads a Job or an MPIJob, checks what must be there, and runs its command on the
hosts of hosts.sh: of a Job on as many as run in parallel, of an MPIJob that of
the launcher. Returns 1 if one of them fails.
"""

import os
import shlex
import subprocess
import sys

import yaml


def container(template):
    """The one container of a pod, whose volumes are all there."""
    pod = template["spec"]
    (one,) = pod["containers"]
    there = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in one["volumeMounts"]} == there
    assert one["image"] and one["name"]
    return one


def commands(job):
    """What runs, and on how many hosts."""
    spec = job["spec"]
    assert job["metadata"]["name"]
    if (job["apiVersion"], job["kind"]) == ("batch/v1", "Job"):
        assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"
        one = container(spec["template"])
        return one["command"], spec["parallelism"]
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v2beta1",
                                                "MPIJob")
    launcher, worker = (spec["mpiReplicaSpecs"][part]
                        for part in ("Launcher", "Worker"))
    container(worker["template"])
    command = container(launcher["template"])["command"]
    ranks = int(command[command.index("-n") + 1])
    assert ranks == worker["replicas"] * spec["slotsPerWorker"]
    return command, launcher["replicas"]


def main(verb, flag, path):
    assert (verb, flag) == ("apply", "-f")
    with open(path, encoding="utf-8") as file:
        command, count = commands(yaml.safe_load(file))
    with open("/run/nodes", encoding="utf-8") as file:
        nodes = file.read().split()
    line = f"cd {shlex.quote(os.getcwd())}; {shlex.join(command)}"
    pods = [subprocess.Popen(["ssh", nodes[i % len(nodes)], line])
            for i in range(count)]
    return max(pod.wait() for pod in pods)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
