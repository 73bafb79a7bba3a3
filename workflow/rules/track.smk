# Bring the run of a point in Weights & Biases up to an iteration. Each waits for the one before: one writer a run.


rule track:
    input:
        unpack(of_iteration(PLAN.track_inputs)),
    output:
        tracked=f"{RESULTS}/{{point}}/iter{{iteration}}/tracked.json",
        run=f"{RESULTS}/{{point}}/iter{{iteration}}/tracked.run.json",
    log:
        f"{LOGS}/{{point}}/iter{{iteration}}/track.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("track"),
        settings=of_iteration(PLAN.track_settings),
    message:
        "track {wildcards.point} up to iteration {wildcards.iteration}"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --tracked {output.tracked:q} --run {output.run:q} > {log:q} 2>&1"
