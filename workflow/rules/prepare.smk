# What must be there before anything is sampled: problem sets, base models, and a look at both.


rule problems:
    output:
        problems=f"{RESULTS}/problems/{{problems}}.parquet",
        run=f"{RESULTS}/problems/{{problems}}.run.json",
    log:
        "logs/problems/{problems}.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        settings=lambda wildcards: PLAN.problem_settings(wildcards.problems),
    message:
        "prepare the problem set {wildcards.problems}"
    shell:
        "{PYTHON:q} {SCRIPTS:q}/problems.py --settings {params.settings:q}"
        " --problems {output.problems:q} --run {output.run:q} > {log:q} 2>&1"


rule base:
    output:
        policy=f"{RESULTS}/{{model}}/base/policy.json",
        run=f"{RESULTS}/{{model}}/base/policy.run.json",
    log:
        "logs/{model}/base/policy.log",
    conda:
        "../../envs/cpu.yaml"
    params:
        settings=lambda wildcards: PLAN.base_settings(wildcards.model),
    message:
        "find the base model {wildcards.model}"
    shell:
        "{PYTHON:q} {SCRIPTS:q}/base.py --settings {params.settings:q}"
        " --policy {output.policy:q} --run {output.run:q} > {log:q} 2>&1"


rule check:
    input:
        prepared=PLAN.prepared(),
    output:
        checked=f"{RESULTS}/problems/checked.json",
        run=f"{RESULTS}/problems/checked.run.json",
    log:
        "logs/problems/checked.log",
    conda:
        "../../envs/torch.yaml"
    params:
        settings=lambda wildcards: PLAN.check_settings(),
    message:
        "check that every prompt fits its context"
    shell:
        "{PYTHON:q} {SCRIPTS:q}/check.py --settings {params.settings:q} --results {RESULTS:q}"
        " --checked {output.checked:q} --run {output.run:q} > {log:q} 2>&1"
