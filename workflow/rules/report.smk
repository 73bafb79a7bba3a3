# The tables and figures of the whole sweep. `snakemake --report report.html` gathers them with their captions.


rule summary:
    input:
        measured=PLAN.summary_inputs(),
    output:
        points=report(
            f"{SUMMARY}/points.csv",
            caption="../report/points.rst",
            category="Tables",
            labels={"table": "points", "format": "csv"},
        ),
        parquet=f"{SUMMARY}/points.parquet",
        curves=f"{SUMMARY}/curves.csv",
        training=report(
            f"{SUMMARY}/training.csv",
            caption="../report/training.rst",
            category="Tables",
            labels={"table": "what each iteration measured of itself", "format": "csv"},
        ),
        measured_with=report(
            f"{SUMMARY}/measured_with.csv",
            caption="../report/measured_with.rst",
            category="Tables",
            labels={"table": "with what each benchmark was measured", "format": "csv"},
        ),
        run=f"{SUMMARY}/points.run.json",
    log:
        f"{LOGS}/{PLAN.summary}/summary.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("summary"),
        settings=lambda wildcards: PLAN.summary_settings(),
    message:
        "tabulate the sweep"
    shell:
        "{params.command} --settings -"
        " --points {output.points:q} --parquet {output.parquet:q} --curves {output.curves:q}"
        " --training {output.training:q} --measured_with {output.measured_with:q} --run {output.run:q} > {log:q} 2>&1 <<< {params.settings:q}"


rule compare:
    input:
        graded=PLAN.comparison_inputs(),
        # Rollouts of earlier iterations are read where they are, and are as old as this.
        points=rules.summary.output.parquet,
    output:
        pairs=report(
            f"{SUMMARY}/pairs.csv",
            caption="../report/pairs.rst",
            category="Tables",
            labels={"table": "each two points", "format": "csv"},
        ),
        recipes=report(
            f"{SUMMARY}/recipes.csv",
            caption="../report/recipes.rst",
            category="Tables",
            labels={"table": "recipes over their seeds", "format": "csv"},
        ),
        contrasts=report(
            f"{SUMMARY}/contrasts.csv",
            caption="../report/contrasts.rst",
            category="Tables",
            labels={"table": "each two recipes and each two budgets", "format": "csv"},
        ),
        cuts=report(
            f"{SUMMARY}/cuts.csv",
            caption="../report/cuts.rst",
            category="Tables",
            labels={"table": "how soon how much shorter", "format": "csv"},
        ),
        run=f"{SUMMARY}/pairs.run.json",
    log:
        f"{LOGS}/{PLAN.summary}/compare.log",
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
        "{params.command} --settings - --threads {threads} --points {input.points:q}"
        " --pairs {output.pairs:q} --recipes {output.recipes:q} --contrasts {output.contrasts:q} --cuts {output.cuts:q}"
        " --run {output.run:q} > {log:q} 2>&1 <<< {params.settings:q}"


rule timings:
    input:
        # Not the sidecars: one that is missing is no reason to make its result again. But these are the last to be made.
        points=rules.summary.output.parquet,
        tracked=PLAN.tracked(),
    output:
        timings=report(
            f"{SUMMARY}/timings.csv",
            caption="../report/timings.rst",
            category="Tables",
            labels={"table": "timings of all nodes", "format": "csv"},
        ),
        by_node=report(
            f"{SUMMARY}/timings_by_node.csv",
            caption="../report/timings.rst",
            category="Tables",
            labels={"table": "timings by kind of node", "format": "csv"},
        ),
        costs=report(
            f"{SUMMARY}/costs.csv",
            caption="../report/costs.rst",
            category="Tables",
            labels={"table": "what each point took", "format": "csv"},
        ),
        run=f"{SUMMARY}/timings.run.json",
    log:
        f"{LOGS}/{PLAN.summary}/timings.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("timings"),
        settings=lambda wildcards: PLAN.timing_settings(),
    message:
        "tabulate where the time went"
    shell:
        "{params.command} --settings -"
        " --timings {output.timings:q} --by_node {output.by_node:q} --costs {output.costs:q}"
        " --run {output.run:q} > {log:q} 2>&1 <<< {params.settings:q}"


rule figures:
    input:
        points=rules.summary.output.parquet,
        curves=rules.summary.output.curves,
    output:
        pareto=report(
            f"{SUMMARY}/pareto.svg",
            caption="../report/pareto.rst",
            category="Figures",
            labels={"figure": "accuracy against mean tokens"},
        ),
        budget_curves=report(
            f"{SUMMARY}/budget_curves.svg",
            caption="../report/budget_curves.rst",
            category="Figures",
            labels={"figure": "accuracy against token budget"},
        ),
        iterations=report(
            f"{SUMMARY}/iterations.svg",
            caption="../report/iterations.rst",
            category="Figures",
            labels={"figure": "length, accuracy and kept share over iterations"},
        ),
        png=[f"{SUMMARY}/{name}.png" for name in ("pareto", "budget_curves", "iterations")],
        run=f"{SUMMARY}/figures.run.json",
    log:
        f"{LOGS}/{PLAN.summary}/figures.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("figures"),
        settings=lambda wildcards: PLAN.figure_settings(),
    message:
        "draw the figures"
    shell:
        "{params.command} --settings -"
        " --points {input.points:q} --curves {input.curves:q} --pareto {output.pareto:q}"
        " --run {output.run:q} > {log:q} 2>&1 <<< {params.settings:q}"


rule page:
    input:
        points=rules.summary.output.parquet,
        curves=rules.summary.output.curves,
        training=rules.summary.output.training,
        recipes=rules.compare.output.recipes,
        pairs=rules.compare.output.pairs,
        # Rollouts and sidecars are read where they are: one that is missing is no reason to make its result again.
        by_node=rules.timings.output.by_node,
        contrasts=rules.compare.output.contrasts,
        cuts=rules.compare.output.cuts,
        costs=rules.timings.output.costs,
    output:
        findings=report(
            f"{SUMMARY}/findings.md",
            caption="../report/findings.rst",
            category="Page",
            labels={"page": "what the sweep found, in sentences"},
        ),
        page=report(
            f"{SUMMARY}/report.html",
            caption="../report/page.rst",
            category="Page",
            labels={"page": "the whole sweep, to look around in"},
        ),
        run=f"{SUMMARY}/report.run.json",
    log:
        f"{LOGS}/{PLAN.summary}/report.log",
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    params:
        command=command_of("page"),
        settings=lambda wildcards: PLAN.page_settings(),
    message:
        "build the page"
    shell:
        "{params.command} --settings -"
        " --points {input.points:q} --curves {input.curves:q} --training {input.training:q}"
        " --recipes {input.recipes:q} --pairs {input.pairs:q}"
        " --by_node {input.by_node:q} --contrasts {input.contrasts:q} --cuts {input.cuts:q} --costs {input.costs:q}"
        " --findings {output.findings:q} --page {output.page:q}"
        " --run {output.run:q} > {log:q} 2>&1 <<< {params.settings:q}"
