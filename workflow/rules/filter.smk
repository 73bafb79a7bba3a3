# Select the rollouts to train on; measure the batch before and after.


rule filter:
    input:
        before=signed(lambda wildcards: PLAN.budget_inputs(f"{wildcards.point}/iter{wildcards.iteration}/train")),
        rollouts=f"{RESULTS}/{{point}}/iter{{iteration}}/train/rollouts.parquet",
        verdicts=f"{RESULTS}/{{point}}/iter{{iteration}}/train/verdicts.parquet",
    output:
        selected=f"{RESULTS}/{{point}}/iter{{iteration}}/train/selected.parquet",
        statistics=f"{RESULTS}/{{point}}/iter{{iteration}}/train/filter.json",
        run=f"{RESULTS}/{{point}}/iter{{iteration}}/train/filter.run.json",
    log:
        f"{LOGS}/{{point}}/iter{{iteration}}/filter.log",
    conda:
        "../../envs/cpu.yaml"
    threads: resources_of("filter", "threads")
    resources:
        mem_mb=each_attempt("filter", "mem_mb"),
        runtime=each_attempt("filter", "runtime"),
    params:
        command=command_of("filter", before=budget_file),
        settings=of_iteration(PLAN.filter_settings),
    message:
        "filter {wildcards.point} iteration {wildcards.iteration}"
    shell:
        "{params.command} --settings {params.settings:q} --threads {threads}"
        " --rollouts {input.rollouts:q} --verdicts {input.verdicts:q}"
        " --selected {output.selected:q} --statistics {output.statistics:q} --run {output.run:q} > {log:q} 2>&1"
