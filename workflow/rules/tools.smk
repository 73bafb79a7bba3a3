# Targets to call by name: `snakemake plan`, `snakemake why`, `snakemake dump_config`, `snakemake prune`, `snakemake replay`,
# `snakemake verify_results`; and the parts of the sweep that calls of Snakemake which run side by side have in common, and not: `snakemake shared`, `snakemake points`.
from opsft_flow.files import is_writable

# What only looks at results goes where these cannot be written, too.
LOOKS = LOGS if is_writable(RESULTS) else ".snakemake/log"


rule shared:
    input:
        PLAN.shared(),
    localrule: True


rule points:
    input:
        PLAN.every_result(),
    localrule: True


rule plan:
    log:
        f"{LOOKS}/plan.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("plan"),
        settings=lambda wildcards: PLAN.summary_settings(),
    message:
        "the points of the sweep, and how far each has come"
    shell:
        "{params.command} --settings - 2>&1 <<< {params.settings:q} | tee {log:q}"


# Beside a running sweep with --nolock: Snakemake removes all locks of the folder when it ends.
rule why:
    log:
        f"{LOOKS}/why.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=with_snakemake("why"),
        settings=lambda wildcards: canonical({"resolved": PLAN.config, "codes": CODES, "workflow": this_workflow()}),
    message:
        "which jobs would run, and why"
    shell:
        ": > {log:q}; {params.command} --settings - --log {log:q} 2>> {log:q} <<< {params.settings:q}"


rule dump_config:
    log:
        f"{LOOKS}/dump_config.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("dump_config"),
        settings=lambda wildcards: canonical(PLAN.config),
    message:
        "the configuration with every default filled in"
    shell:
        "{params.command} --settings - 2>&1 <<< {params.settings:q} | tee {log:q}"


rule prune:
    log:
        f"{LOGS}/prune.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=with_snakemake("prune"),
        settings=lambda wildcards: PLAN.summary_settings(),
        workflow=lambda wildcards: canonical(this_workflow()),
        keep=lambda wildcards: canonical(PLAN.config["keep"]),
    message:
        "drop the weights that no open point needs"
    shell:
        "{params.command} --settings - --workflow {params.workflow:q} --keep {params.keep:q} 2>&1 <<< {params.settings:q} | tee {log:q}"


rule replay:
    log:
        f"{LOGS}/replay.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("replay"),
        settings=lambda wildcards: PLAN.replay_settings(),
    message:
        "what selection rules would keep of the rollouts on disk"
    shell:
        "{params.command} --settings - 2>&1 <<< {params.settings:q} | tee {log:q}"


rule verify_results:
    log:
        f"{LOOKS}/verify_results.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("verify_results"),
        settings=canonical({"results": RESULTS}),
    message:
        "look for results whose bytes have changed"
    shell:
        "{params.command} --settings {params.settings:q} 2>&1 | tee {log:q}"
