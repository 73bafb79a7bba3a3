# What a sweep starts from: problem sets and base models.


rule problems:
    input:
        apart=lambda wildcards: PLAN.sets_apart(wildcards.problems),
    output:
        problems=f"{RESULTS}/problems/{{problems}}.parquet",
        checks=f"{RESULTS}/problems/{{problems}}.checks.json",
        run=f"{RESULTS}/problems/{{problems}}.run.json",
    log:
        f"{LOGS}/problems/{{problems}}.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("problems"),
        settings=lambda wildcards: PLAN.problem_settings(wildcards.problems),
    message:
        "prepare the problem set {wildcards.problems}"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --problems {output.problems:q} --checks {output.checks:q} --run {output.run:q} > {log:q} 2>&1"


rule base:
    output:
        policy=f"{RESULTS}/{{model}}/base/policy.json",
        run=f"{RESULTS}/{{model}}/base/policy.run.json",
    log:
        f"{LOGS}/{{model}}/base/policy.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("base"),
        settings=lambda wildcards: PLAN.base_settings(wildcards.model),
    message:
        "find the base model {wildcards.model}"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --policy {output.policy:q} --run {output.run:q} > {log:q} 2>&1"
