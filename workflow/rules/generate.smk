# Sample responses from a policy; training rollouts and benchmarks alike. One job a place, or several shards at once.

ENGINE_ENV = f"../../envs/{'vllm' if 'vllm' in PLAN.packages() else 'torch'}.yaml"


rule generate_shard:
    input:
        unpack(of_place(PLAN.sampling_inputs)),
    output:
        rollouts=temp(f"{RESULTS}/{{place}}/shards/{{shard}}-of-{{shards}}.parquet"),
        run=temp(f"{RESULTS}/{{place}}/shards/{{shard}}-of-{{shards}}.run.json"),
    log:
        f"{LOGS}/{{place}}/generate-{{shard}}-of-{{shards}}.log",
    # Less than training has.
    priority: sampling_priority()
    conda:
        ENGINE_ENV
    threads: resources_of("generate", "threads")
    resources:
        gpu=resources_of("generate", "gpu"),
        mem_mb=each_attempt("generate", "mem_mb"),
        runtime=each_attempt("generate", "runtime"),
    params:
        command=command_of(
            "generate",
            gpus=resources_of("generate", "gpu"),
            serving=PLAN.serving(),
            budget=or_none(budget_of),
            measured="none",
            stopped=or_none(of_place(PLAN.stopped_before)),
        ),
        settings=of_place(PLAN.generate_settings),
    message:
        "sample {wildcards.place}, shard {wildcards.shard} of {wildcards.shards}"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --threads {threads} --policy {input.policy:q} --problems {input.problems:q}"
        " --shard {wildcards.shard} --shards {wildcards.shards}"
        " --rollouts {output.rollouts:q} --run {output.run:q} > {log:q} 2>&1"


rule generate:
    input:
        unpack(of_place(PLAN.generate_inputs)),
    output:
        rollouts=f"{RESULTS}/{{place}}/rollouts.parquet",
        run=f"{RESULTS}/{{place}}/rollouts.run.json",
    log:
        f"{LOGS}/{{place}}/generate.log",
    # Less than training has.
    priority: sampling_priority()
    conda:
        ENGINE_ENV
    threads: resources_of("generate", "threads")
    resources:
        gpu=gpus_to_generate(),
        mem_mb=each_attempt("generate", "mem_mb"),
        runtime=each_attempt("generate", "runtime"),
    params:
        command=command_of(
            "generate",
            gpus=resources_of("generate", "gpu"),
            serving=PLAN.serving(),
            budget=or_none(budget_of),
            measured=or_none(of_place(PLAN.measured_before)),
            stopped=or_none(of_place(PLAN.stopped_before)),
        ),
        settings=of_place(PLAN.generate_settings),
        # A function that takes inputs is not tracked.
        shards=signed(lambda wildcards, input: len(input.shards) // 2 or 1),
    message:
        "sample {wildcards.place}"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --threads {threads} --policy {input.policy:q} --problems {input.problems:q}"
        " --shard all --shards {params.shards}"
        " --rollouts {output.rollouts:q} --run {output.run:q} > {log:q} 2>&1"
