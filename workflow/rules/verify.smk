# Grade rollouts against the reference answers.


rule verify:
    input:
        rollouts=f"{RESULTS}/{{place}}/rollouts.parquet",
        problems=of_place(PLAN.problems_of),
    output:
        verdicts=f"{RESULTS}/{{place}}/verdicts.parquet",
        run=f"{RESULTS}/{{place}}/verdicts.run.json",
    log:
        f"{LOGS}/{{place}}/verify.log",
    conda:
        "../../envs/cpu.yaml"
    threads: resources_of("verify", "threads")
    resources:
        mem_mb=each_attempt("verify", "mem_mb"),
        runtime=each_attempt("verify", "runtime"),
    params:
        command=command_of("verify"),
        settings=of_place(PLAN.verify_settings),
    message:
        "grade {wildcards.place}"
    shell:
        "{params.command} --settings {params.settings:q} --threads {threads}"
        " --rollouts {input.rollouts:q} --problems {input.problems:q}"
        " --verdicts {output.verdicts:q} --run {output.run:q} > {log:q} 2>&1"
