# The tables and figures of the whole sweep. `snakemake --report report.html` gathers them with their captions.


rule summary:
    input:
        measured=PLAN.summary_inputs(),
    output:
        points=report(
            f"{RESULTS}/summary/points.csv",
            caption="../report/points.rst",
            category="Tables",
            labels={"table": "points", "format": "csv"},
        ),
        parquet=f"{RESULTS}/summary/points.parquet",
        curves=f"{RESULTS}/summary/curves.csv",
        measured_with=report(
            f"{RESULTS}/summary/measured_with.csv",
            caption="../report/measured_with.rst",
            category="Tables",
            labels={"table": "with what each benchmark was measured", "format": "csv"},
        ),
        run=f"{RESULTS}/summary/points.run.json",
    log:
        f"{LOGS}/summary/summary.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("summary"),
        settings=lambda wildcards: PLAN.summary_settings(),
    message:
        "tabulate the sweep"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --points {output.points:q} --parquet {output.parquet:q} --curves {output.curves:q}"
        " --measured_with {output.measured_with:q} --run {output.run:q} > {log:q} 2>&1"


rule compare:
    input:
        graded=PLAN.comparison_inputs(),
    output:
        pairs=report(
            f"{RESULTS}/summary/pairs.csv",
            caption="../report/pairs.rst",
            category="Tables",
            labels={"table": "each two points", "format": "csv"},
        ),
        recipes=report(
            f"{RESULTS}/summary/recipes.csv",
            caption="../report/recipes.rst",
            category="Tables",
            labels={"table": "recipes over their seeds", "format": "csv"},
        ),
        run=f"{RESULTS}/summary/pairs.run.json",
    log:
        f"{LOGS}/summary/compare.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    threads: resources_of("evaluate", "threads")
    resources:
        mem_mb=each_attempt("evaluate", "mem_mb"),
        runtime=each_attempt("evaluate", "runtime"),
    params:
        command=command_of("compare"),
        settings=lambda wildcards: PLAN.comparison_settings(),
    message:
        "compare the points with each other"
    shell:
        "{params.command} --settings {params.settings:q} --threads {threads}"
        " --pairs {output.pairs:q} --recipes {output.recipes:q} --run {output.run:q} > {log:q} 2>&1"


rule timings:
    input:
        # Not the sidecars: one that is missing is no reason to make its result again. But these are the last to be made.
        points=rules.summary.output.parquet,
        tracked=PLAN.tracked(),
    output:
        timings=report(
            f"{RESULTS}/summary/timings.csv",
            caption="../report/timings.rst",
            category="Tables",
            labels={"table": "timings of all nodes", "format": "csv"},
        ),
        by_node=report(
            f"{RESULTS}/summary/timings_by_node.csv",
            caption="../report/timings.rst",
            category="Tables",
            labels={"table": "timings by kind of node", "format": "csv"},
        ),
        run=f"{RESULTS}/summary/timings.run.json",
    log:
        f"{LOGS}/summary/timings.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("timings"),
        settings=lambda wildcards: PLAN.timing_settings(),
    message:
        "tabulate where the time went"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --timings {output.timings:q} --by_node {output.by_node:q} --run {output.run:q} > {log:q} 2>&1"


rule figures:
    input:
        points=rules.summary.output.parquet,
        curves=rules.summary.output.curves,
    output:
        pareto=report(
            f"{RESULTS}/summary/pareto.svg",
            caption="../report/pareto.rst",
            category="Figures",
            labels={"figure": "accuracy against mean tokens"},
        ),
        budget_curves=report(
            f"{RESULTS}/summary/budget_curves.svg",
            caption="../report/budget_curves.rst",
            category="Figures",
            labels={"figure": "accuracy against token budget"},
        ),
        iterations=report(
            f"{RESULTS}/summary/iterations.svg",
            caption="../report/iterations.rst",
            category="Figures",
            labels={"figure": "length, accuracy and kept share over iterations"},
        ),
        png=[f"{RESULTS}/summary/{name}.png" for name in ("pareto", "budget_curves", "iterations")],
        run=f"{RESULTS}/summary/figures.run.json",
    log:
        f"{LOGS}/summary/figures.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("figures"),
        settings=lambda wildcards: PLAN.figure_settings(),
    message:
        "draw the figures"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --points {input.points:q} --curves {input.curves:q} --pareto {output.pareto:q}"
        " --run {output.run:q} > {log:q} 2>&1"


rule page:
    input:
        points=rules.summary.output.parquet,
        curves=rules.summary.output.curves,
        recipes=rules.compare.output.recipes,
        pairs=rules.compare.output.pairs,
        # Rollouts and sidecars are read where they are: one that is missing is no reason to make its result again.
        by_node=rules.timings.output.by_node,
    output:
        page=report(
            f"{RESULTS}/summary/report.html",
            caption="../report/page.rst",
            category="Page",
            labels={"page": "the whole sweep, to look around in"},
        ),
        run=f"{RESULTS}/summary/report.run.json",
    log:
        f"{LOGS}/summary/report.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("page"),
        settings=lambda wildcards: PLAN.page_settings(),
    message:
        "build the page"
    shell:
        "{params.command} --settings {params.settings:q}"
        " --points {input.points:q} --curves {input.curves:q} --recipes {input.recipes:q} --pairs {input.pairs:q}"
        " --by_node {input.by_node:q} --page {output.page:q}"
        " --run {output.run:q} > {log:q} 2>&1"
