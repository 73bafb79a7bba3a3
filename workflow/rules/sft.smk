# Fine-tune the policy on what was selected. The checkpoint is no declared output: its manifest is.


rule sft:
    input:
        parent=of_iteration(PLAN.parent_policy),
        rollouts=f"{RESULTS}/{{point}}/iter{{iteration}}/train/rollouts.parquet",
        selected=f"{RESULTS}/{{point}}/iter{{iteration}}/train/selected.parquet",
        # None without stop rules.
        decision=of_iteration(PLAN.decision),
    output:
        policy=f"{RESULTS}/{{point}}/iter{{iteration}}/policy.json",
        run=f"{RESULTS}/{{point}}/iter{{iteration}}/policy.run.json",
    log:
        f"{LOGS}/{{point}}/iter{{iteration}}/sft.log",
    # The chain through the policies is the longest path of the graph; what is measured beside it can wait.
    priority: 10
    conda:
        "../../envs/torch.yaml"
    threads: resources_of("sft", "threads")
    resources:
        **machines_of("sft"),
        gpu=resources_of("sft", "gpu") * resources_of("sft", "nodes"),
        mem_mb=each_attempt("sft", "mem_mb"),
        runtime=each_attempt("sft", "runtime"),
    params:
        command=train_command(
            "sft",
            gpus=resources_of("sft", "gpu"),
            decision=decision_of,
            limits=lambda wildcards: PLAN.sft_limits(wildcards.point),
        ),
        settings=of_iteration(PLAN.sft_settings),
    message:
        "train {wildcards.point} iteration {wildcards.iteration}"
    shell:
        "{params.command} --settings {params.settings:q} --threads {threads}"
        " --parent {input.parent:q} --rollouts {input.rollouts:q} --selected {input.selected:q}"
        " --policy {output.policy:q} --run {output.run:q} > {log:q} 2>&1"
