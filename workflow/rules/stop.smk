# Decide whether a point stops before an iteration trains. Only where stop rules are set, and only while it is not decided.
from opsft_flow.places import parse_iteration


rule stop:
    input:
        measured=lambda wildcards: PLAN.stop_inputs(*parse_iteration(wildcards.undecided)),
    output:
        decision=f"{RESULTS}/{{undecided}}/stop.json",
        run=f"{RESULTS}/{{undecided}}/stop.run.json",
    log:
        f"{LOGS}/{{undecided}}/stop.log",
    priority: 10
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("stop", before=or_none(decision_before)),
        settings=lambda wildcards: PLAN.stop_settings(*parse_iteration(wildcards.undecided)),
    message:
        "decide whether to train {wildcards.undecided}"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --decision {output.decision:q} --run {output.run:q} > {log:q} 2>&1"
