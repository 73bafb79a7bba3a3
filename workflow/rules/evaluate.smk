# Estimate what a policy can do on a benchmark, and the paired difference to the base model.


rule evaluate:
    input:
        rollouts=f"{RESULTS}/{{place}}/rollouts.parquet",
        verdicts=f"{RESULTS}/{{place}}/verdicts.parquet",
        base=signed(base_tables),
    output:
        metrics=f"{RESULTS}/{{place}}/metrics.json",
        run=f"{RESULTS}/{{place}}/metrics.run.json",
    log:
        f"{LOGS}/{{place}}/evaluate.log",
    conda:
        "../../envs/cpu.yaml"
    threads: resources_of("evaluate", "threads")
    resources:
        mem_mb=each_attempt("evaluate", "mem_mb"),
        runtime=each_attempt("evaluate", "runtime"),
    params:
        command=command_of("evaluate", base=base_folder),
        settings=of_place(PLAN.evaluate_settings),
    message:
        "evaluate {wildcards.place}"
    shell:
        "{params.command} --settings {params.settings:q} --threads {threads}"
        " --rollouts {input.rollouts:q} --verdicts {input.verdicts:q}"
        " --metrics {output.metrics:q} --run {output.run:q} > {log:q} 2>&1"
