# Sample responses from a policy; training rollouts and benchmarks alike. One job a place, or several shards at once.


rule generate_shard:
    input:
        policy=lambda wildcards: PLAN.policy_of(wildcards.place),
        problems=lambda wildcards: PLAN.problems_of(wildcards.place),
    output:
        rollouts=temp(f"{RESULTS}/{{place}}/shards/{{shard}}-of-{{shards}}.parquet"),
        run=temp(f"{RESULTS}/{{place}}/shards/{{shard}}-of-{{shards}}.run.json"),
    log:
        f"{LOGS}/{{place}}/generate-{{shard}}-of-{{shards}}.log",
    conda:
        ENGINE_ENV
    threads: resources_of("generate", "threads")
    resources:
        gpu=resources_of("generate", "gpu"),
        mem_mb=resources_of("generate", "mem_mb"),
        runtime=resources_of("generate", "runtime"),
    params:
        command=command_of("generate"),
        gpus=gpus_of("generate"),
        settings=lambda wildcards: PLAN.generate_settings(wildcards.place),
        # A function that takes resources is not tracked: this decides how fast it is sampled, not what.
        serving=lambda wildcards, resources: PLAN.serving(),
    message:
        "sample {wildcards.place}, shard {wildcards.shard} of {wildcards.shards}"
    shell:
        "{params.command} --settings {params.settings:q} --serving {params.serving:q}"
        " --threads {threads} --gpus {params.gpus} --policy {input.policy:q} --problems {input.problems:q}"
        " --shard {wildcards.shard} --shards {wildcards.shards}"
        " --rollouts {output.rollouts:q} --run {output.run:q} > {log:q} 2>&1"


rule generate:
    input:
        policy=lambda wildcards: PLAN.policy_of(wildcards.place),
        problems=lambda wildcards: PLAN.problems_of(wildcards.place),
        # None where this job samples; else it only puts together what the shards have sampled.
        shards=lambda wildcards: PLAN.shard_files(wildcards.place),
        shard_runs=lambda wildcards: [
            file.replace(".parquet", ".run.json") for file in PLAN.shard_files(wildcards.place)
        ],
    output:
        rollouts=f"{RESULTS}/{{place}}/rollouts.parquet",
        run=f"{RESULTS}/{{place}}/rollouts.run.json",
    log:
        f"{LOGS}/{{place}}/generate.log",
    conda:
        ENGINE_ENV
    threads: resources_of("generate", "threads")
    resources:
        gpu=lambda wildcards, input: 0 if input.shards else resources_of("generate", "gpu"),
        mem_mb=resources_of("generate", "mem_mb"),
        runtime=resources_of("generate", "runtime"),
    params:
        command=command_of("generate"),
        gpus=gpus_of("generate"),
        settings=lambda wildcards: PLAN.generate_settings(wildcards.place),
        # Functions that take inputs or resources are not tracked: these decide how it is sampled, not what.
        serving=lambda wildcards, resources: PLAN.serving(),
        shards=lambda wildcards, input: len(input.shards) or 1,
    message:
        "sample {wildcards.place}"
    shell:
        "{params.command} --settings {params.settings:q} --serving {params.serving:q}"
        " --threads {threads} --gpus {params.gpus} --policy {input.policy:q} --problems {input.problems:q}"
        " --shard all --shards {params.shards}"
        " --rollouts {output.rollouts:q} --run {output.run:q} > {log:q} 2>&1"
