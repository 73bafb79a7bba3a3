"""What the nodes of a cluster are started with, as a dry run prints it; no SLURM is needed."""

import re

from tests.workflow.conftest import Checkout, copy_workflow

SEVERAL = {"generate": {"gpu": 1, "shards": 3}, "sft": {"gpu": 4, "nodes": 2, "threads": 8}}


def test_a_training_on_several_machines_and_shards_as_a_cluster_would_run_them(tmp_path):
    checkout = several(tmp_path)
    policy = "results/toy/opsft/L40/seed0/iter1/policy.json"
    planned = checkout.run("--workflow-profile", "profiles/slurm", "--dry-run", "--printshellcmds", policy).stdout
    trained = re.search(r"^ *Shell command: (srun .*)$", planned, re.MULTILINE)[1]
    step, holder, torchrun, script = re.split(r"\S*python\S* -P -m |-- ", trained)[:4]
    assert step == "srun --nodes 2 --ntasks 2 --cpus-per-task 8 --gpus-per-node 4 --kill-on-bad-exit "
    assert holder == "opsft_flow.machine.with_gpus 4 "
    assert torchrun == (
        'torch.distributed.run --nnodes 2 --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" '
        '--rdzv-endpoint "$(hostname):$((20000 + SLURM_JOB_ID % 20000))" --nproc-per-node 4 '
    )
    assert script.split()[0].endswith("workflow/scripts/sft.py")
    assert sorted(re.findall(r"--shard (\S+) --shards 3", planned)) == ["1", "2", "3", "all"]


def test_a_dry_run_shows_what_a_cluster_is_asked_for_and_warns_where_that_is_no_gpu(tmp_path):
    checkout = several(tmp_path)
    slurm = ["--workflow-profile", "profiles/slurm", "--dry-run", "--quiet", "rules"]
    lines = checkout.run(*slurm).stdout.splitlines()
    asked = {
        (fields := line.split())[0]: fields[1:] for line in lines[lines.index("What the cluster is asked for:") + 2 :]
    }
    assert asked["sft"] == ["4", "gpu", "2", "8", "4,000", "MB", "60", "min"]
    assert asked["generate_shard"] == ["27", "gpu", "1", "1", "4,000", "MB", "60", "min"]
    assert asked["verify"] == ["9", "cpu", "1", "0", "4,000", "MB", "60", "min"]
    assert "summary" not in asked
    assert lines[-1].startswith("where Snakemake runs: ")
    assert "1 summary" in lines[-1]
    checkout.change(resources={"generate": {"gpu": 0}, "sft": {"gpu": 0, "nodes": 1}})
    *_, generate, sft = checkout.run(*slurm).stdout.splitlines()
    assert generate.startswith("warning: resources.generate.gpu is 0: ")
    assert sft.startswith("warning: resources.sft.gpu is 0: ")
    assert "cluster" not in checkout.run("--dry-run", "--quiet", "rules").stdout


def test_a_training_on_several_machines_is_refused_without_a_cluster(tmp_path):
    refused = several(tmp_path).run("--cores", "1", check=False)
    assert refused.returncode != 0
    assert "nothing was sampled: resources.sft.nodes is 2, and this is no cluster" in refused.stderr
    assert not (tmp_path / "results" / "toy").exists()


def several(folder) -> Checkout:
    copy_workflow(folder)
    checkout = Checkout(folder)
    checkout.change(resources=SEVERAL)
    return checkout
