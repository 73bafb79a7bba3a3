# Sample responses from a policy; training rollouts and benchmarks alike.


rule generate:
    input:
        policy=lambda wildcards: PLAN.policy_of(wildcards.place),
        problems=lambda wildcards: PLAN.problems_of(wildcards.place),
    output:
        rollouts=f"{RESULTS}/{{place}}/rollouts.parquet",
        run=f"{RESULTS}/{{place}}/rollouts.run.json",
    log:
        f"{LOGS}/{{place}}/generate.log",
    conda:
        ENGINE_ENV
    threads: resources_of("generate", "threads")
    resources:
        gpu=resources_of("generate", "gpu"),
        mem_mb=resources_of("generate", "mem_mb"),
        runtime=resources_of("generate", "runtime"),
    params:
        command=command_of("generate"),
        settings=lambda wildcards: PLAN.generate_settings(wildcards.place),
        # A function that takes resources is not tracked: this decides how fast it is sampled, not what.
        serving=lambda wildcards, resources: PLAN.serving(),
    message:
        "sample {wildcards.place}"
    shell:
        "{params.command} --settings {params.settings:q} --serving {params.serving:q}"
        " --threads {threads} --gpus {resources.gpu} --policy {input.policy:q} --problems {input.problems:q}"
        " --rollouts {output.rollouts:q} --run {output.run:q} > {log:q} 2>&1"
